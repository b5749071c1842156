"""Notifications for people, by the id of the person in this product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.services import linking, notifications
from backend.services.auth.attribution import HOST_APPLICATION
from backend.services.host_api.transactions import of_person


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
        with of_person(user_id) as user:
            event = notifications.report(
                HOST_APPLICATION,
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
        with of_person(user_id) as user:
            return notifications.send_test_message(HOST_APPLICATION, user).id

    def is_linked(self, user_id: int) -> bool:
        """Whether notifications reach the person: linked, and the bot neither blocked nor told to stop."""
        status = self.link_status(user_id)
        return status.linked and status.reason is None

    def link_status(self, user_id: int) -> LinkStatus:
        """How the person is linked; `reason` is `blocked`, `paused` or None."""
        with of_person(user_id) as user:
            bot = linking.default_bot()
            link = linking.link_of(user.id, bot.id) if bot else None
            if link is None:
                return LinkStatus(linked=False)
            state, _ = notifications.link_state_of(user)
            return LinkStatus(linked=True, linked_at=link.linked_at, reason=None if state == "active" else state)


def send_sns_notification(
    user_id: int,
    type: str,
    data: Mapping[str, Any] | None = None,
) -> NotificationResult:
    """Reports an event about a person in a transaction of its own; see `TelegramService.send_sns_notification`."""
    return TelegramService().send_sns_notification(user_id, type, data)
