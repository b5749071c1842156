"""Notifications from Python: for host applications that run in the same process.

Inside an app context of the product (`create_app().app_context()`), each call is a transaction of its own: it neither
sees nor commits what the caller has open.

    from backend.services.telegram_service import send_sns_notification

    sent = send_sns_notification(user.id, "post_success", {"platform": "instagram", "content": "…", "likes": 12})
    if not sent:
        log.info("not notified: %s", sent.reason)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import NotFound
from backend.models import User
from backend.services import linking, notifications, senders

ACTOR = "python"


@dataclass(frozen=True, slots=True)
class NotificationResult:
    """What became of an event: `decision` is queued, deferred or suppressed; `reason` says why where there is one.

    True where a message was stored, also one that waits; False for a suppressed event.
    """

    event_id: int
    decision: str
    reason: str | None
    message_id: int | None

    def __bool__(self) -> bool:
        return self.decision != "suppressed"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A person's link with the default bot. `reason` says why nothing arrives although there is a link."""

    linked: bool
    linked_at: datetime | None = None
    reason: str | None = None


class TelegramService:
    """Telegram notifications for people, by the id of the person in this product.

    Nothing here waits for Telegram and nothing raises because of it: messages are stored and delivered by the workers.
    Every method raises NotFound for a person that does not exist.
    """

    def send_sns_notification(
        self,
        user_id: int,
        type: str,
        data: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        version: int | None = None,
        critical: bool = False,
    ) -> NotificationResult:
        """Reports an event about a person; the same as `POST /api/events`.

        `data` may hold any Python values; what is no JSON becomes text. Raises Invalid for an unknown type.
        """
        with _own_transaction(user_id) as user:
            event = notifications.report(
                ACTOR,
                type,
                user,
                notifications.plain_data(data),
                subject=subject,
                version=version,
                critical=critical,
            )
            return NotificationResult(event.id, event.decision, event.reason, event.message_id)

    def send_test_message(self, user_id: int) -> int:
        """Stores a test message and returns its id. Raises Conflict (`not_linked`, `blocked`)."""
        with _own_transaction(user_id) as user:
            return notifications.send_test_message(ACTOR, user).id

    def is_linked(self, user_id: int) -> bool:
        """Whether notifications reach the person: linked, and the bot neither blocked nor told to stop."""
        status = self.link_status(user_id)
        return status.linked and status.reason is None

    def link_status(self, user_id: int) -> LinkStatus:
        """How the person is linked; `reason` is `blocked`, `paused` or None."""
        with _own_transaction(user_id) as user:
            bot = senders.default_bot()
            link = linking.link_of(user.id, bot.id) if bot else None
            if link is None:
                return LinkStatus(linked=False)
            state, _ = notifications.standing(user)
            return LinkStatus(linked=True, linked_at=link.linked_at, reason=None if state == "active" else state)


def send_sns_notification(
    user_id: int,
    type: str,
    data: Mapping[str, Any] | None = None,
) -> NotificationResult:
    """Reports an event about a person in a transaction of its own; see `TelegramService.send_sns_notification`."""
    return TelegramService().send_sns_notification(user_id, type, data)


@contextmanager
def _own_transaction(user_id: int) -> Iterator[User]:
    """The person, in their workspace's scope; commits at the end, rolls back on any error.

    The app context gets another session for the while, so what the caller has open stays as it is.
    """
    callers = db.session()
    own = db.session.session_factory()
    db.session.registry.set(own)
    try:
        with system_scope("the caller names a person; the workspace follows"):
            user = own.get(User, user_id)
        if user is None:
            raise NotFound("person_not_found", "There is no such person.")
        with workspace_scope(user.workspace_id):
            yield user
            own.commit()
    except BaseException:
        own.rollback()
        raise
    finally:
        own.close()
        db.session.registry.set(callers)
