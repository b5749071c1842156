"""The living message of a person and subject, locked while an event about it is decided on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from backend.core import clock
from backend.core.database import UtcDateTime, db, require_scope_of, system_scope
from backend.models import Conversation, Message, NotificationEvent, NotificationSubject, User
from backend.services.notifications.decision import LastSent

_ENDED = ("failed", "canceled", "unknown")

_TAKEN: Final = (
    insert(NotificationSubject)
    .values(
        workspace_id=bindparam("workspace_id", type_=BigInteger),
        user_id=bindparam("user_id", type_=BigInteger),
        subject=bindparam("subject", type_=Text),
        updated_at=bindparam("now", type_=UtcDateTime),
    )
    # A change of nothing locks the row that is there.
    .on_conflict_do_update(
        index_elements=["workspace_id", "user_id", "subject"], set_={"updated_at": NotificationSubject.updated_at}
    )
    .returning(NotificationSubject)
    .cte("taken")
)
_ITS_MESSAGE: Final = (
    select(Message)
    .where(Message.id == _TAKEN.c.message_id, Message.workspace_id == _TAKEN.c.workspace_id)
    .with_for_update()
    .lateral("its_message")
)
_FIRST_ATTACHMENT: Final = (
    select(NotificationEvent.attachment)
    .where(
        NotificationEvent.message_id == _TAKEN.c.message_id,
        NotificationEvent.workspace_id == _TAKEN.c.workspace_id,
    )
    .order_by(NotificationEvent.id)
    .limit(1)
    .scalar_subquery()
)
_LOCK: Final = (
    select(
        aliased(NotificationSubject, _TAKEN),
        aliased(Message, _ITS_MESSAGE),
        _FIRST_ATTACHMENT.label("attachment"),
    )
    .select_from(_TAKEN)
    .outerjoin(_ITS_MESSAGE, true())
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True)
class CurrentMessage:
    """A subject's row, locked until the transaction ends, and the message that can still be edited, if any."""

    row: NotificationSubject
    message: Message | None
    gone: bool = False
    """Whether there was one that can be edited no more: older versions stay old, the last one may come again."""
    attachment: dict[str, Any] | None = None
    """What the message's first event carries."""

    @property
    def last_sent(self) -> LastSent | None:
        """What the person was told; None if nothing reached this chat, so that the same version may come again."""
        if self.gone:
            return None if self.row.version is None else LastSent(self.row.version - 1)
        return LastSent(self.row.version) if self.message else None

    def record(self, message: Message, version: int | None) -> None:
        """Notes that `message` now tells this version. Without a version the last one that was given stays."""
        self.row.message_id = message.id
        # A new message (the earlier one failed) may tell an older version than one that never arrived.
        kept = self.message is not None or self.gone
        self.row.version = version if version is not None or not kept else self.row.version
        self.row.updated_at = clock.now()


def lock(user: User, subject: str, conversation: Conversation | None) -> CurrentMessage:
    """The subject's row, made if there is none. Of two events at once the second waits here for the first.

    A message in another conversation than the person's present one is not theirs to read any more.
    """
    require_scope_of(user.workspace_id)
    values = {"workspace_id": user.workspace_id, "user_id": user.id, "subject": subject, "now": clock.now()}
    # The message is locked as well, so that it cannot fail between being found alive and being edited.
    with system_scope(
        "a statement that stores and reads names the workspace itself, which was compared with the scope"
    ):
        row, message, attachment = db.session.execute(_LOCK, values).one()
    if row.message_id and message is None:
        # The event that was waited for has made it: a statement sees what was stored before it began, and no more.
        message = db.session.get(Message, row.message_id, populate_existing=True, with_for_update=True)
        attachment = _first_attachment(row.message_id)
    gone = False
    if message and (message.state in _ENDED or conversation is None or message.conversation_id != conversation.id):
        message = None
    if message and message.gone_code is not None:
        # Its reader deleted it, say: what is told by an edit of it nobody would see.
        message, gone = None, True
    return CurrentMessage(row, message, gone, attachment)


def _first_attachment(message_id: int) -> dict[str, Any] | None:
    query = select(NotificationEvent.attachment).where(NotificationEvent.message_id == message_id)
    return db.session.scalars(query.order_by(NotificationEvent.id).limit(1)).one_or_none()


def current_subject_of(message: Message) -> NotificationSubject | None:
    """The subject that this message tells, locked; None where there is none, or where an event about it is being
    decided on right now."""
    return db.session.scalars(
        select(NotificationSubject)
        .where(
            NotificationSubject.workspace_id == message.workspace_id,
            NotificationSubject.user_id == message.user_id,
            NotificationSubject.message_id == message.id,
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def was_told(user: User, subject: str) -> bool:
    """Whether a message about this subject was made for the person, so that news of it has something to edit."""
    query = select(NotificationSubject.id).where(
        NotificationSubject.user_id == user.id,
        NotificationSubject.subject == subject,
        NotificationSubject.message_id.is_not(None),
    )
    return db.session.execute(query).first() is not None
