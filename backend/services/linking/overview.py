"""The status of a person's link, and unlinking from the account's side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from backend.core.database import db, system_scope
from backend.models import Conversation, LinkToken, Sender, TelegramLink, User
from backend.services.auth.attribution import Attribution
from backend.services.linking import bots, links

_WHY_BLOCKED = {
    "blocked": "You have blocked the bot in Telegram. Unblock it and send it /start to get notifications again.",
    "kicked": "The bot was removed from the group. Add it again to get notifications there.",
    "left": "The bot has left the group. Add it again to get notifications there.",
    "not_a_member": "The bot is no longer in the group. Add it again to get notifications there.",
    "chat_deleted": "The group was deleted. Link another chat to get notifications.",
    "deactivated": "The linked Telegram account was deleted. Link another one to get notifications.",
    "never_started": "The bot has not been started in the linked chat. Send it /start there.",
}
_BLOCKED = "Telegram does not let the bot write to the linked chat. Send it /start there to get notifications again."
_REFUSED = "Somebody in the linked Telegram chat said that they did not ask for this link, so it was removed."
_NOT_LINKED = "No Telegram chat is linked."
_PAUSED = "Notifications are paused. Send /start to the bot to get them again."


DEFAULT_LINK: Final = (
    select(Sender, TelegramLink, Conversation)
    .select_from(User)
    .outerjoin(Sender, bots.IS_DEFAULT_BOT)
    .outerjoin(
        TelegramLink,
        (TelegramLink.sender_id == Sender.id)
        & (TelegramLink.user_id == User.id)
        & (TelegramLink.workspace_id == User.workspace_id),
    )
    .outerjoin(
        Conversation,
        (Conversation.id == TelegramLink.conversation_id) & (Conversation.workspace_id == User.workspace_id),
    )
    .where(User.id == bindparam("user"), User.workspace_id == bindparam("workspace"))
)
"""The default bot with a person's link to it and the chat, each None where there is none. Takes `user` and `workspace`;
whoever reads more of the person with it adds columns."""


@dataclass(frozen=True, slots=True)
class Status:
    """A person's link with a bot. `state` is `active`, `paused`, `blocked` or `none`; `enabled` whether notifications
    can reach the person at all. `code` says why it is blocked."""

    enabled: bool
    state: str
    message: str | None
    chat_id: str | None = None
    kind: str | None = None
    linked_at: datetime | None = None
    code: str | None = None


def status_of(user: User, sender: Sender | None) -> Status:
    """The link's status. Runs in the person's workspace scope."""
    return _status(user, sender, links.link_and_chat_of(user.id, sender.id) if sender is not None else None)


def default_status_of(user: User) -> tuple[Sender | None, Status]:
    """The default bot, and the status of the person's link with it, by one statement where there is a link."""
    with system_scope("the default bot serves every workspace; the link is the person's own"):
        row = db.session.execute(DEFAULT_LINK, {"user": user.id, "workspace": user.workspace_id}).one()
    sender = bots.default_bot_of(row.Sender)
    linked = (row.TelegramLink, row.Conversation) if sender is not None and row.TelegramLink is not None else None
    return sender, _status(user, sender, linked)


def _status(user: User, sender: Sender | None, linked: tuple[TelegramLink, Conversation] | None) -> Status:
    if linked is None:
        refused = sender is not None and _was_refused(user, sender)
        return Status(False, "none", _REFUSED if refused else _NOT_LINKED, code="link_refused" if refused else None)
    link, chat = linked
    state, message = _state_of(link)
    return Status(
        enabled=link.state == links.ACTIVE,
        state=state,
        message=message,
        chat_id=chat.chat_id,
        kind=chat.kind,
        linked_at=link.linked_at,
        code=link.disabled_code,
    )


def unlink_account(by: Attribution, user: User, sender: Sender) -> bool:
    """Ends the person's link with this bot and tells the chat; False where there was none."""
    link = links.link_of(user.id, sender.id)
    return link is not None and links.unlink(by, link)


def _state_of(link: TelegramLink) -> tuple[str, str | None]:
    if link.state != links.ACTIVE:
        return "blocked", _WHY_BLOCKED.get(link.disabled_code or "", _BLOCKED)
    return ("paused", _PAUSED) if link.paused_at is not None else ("active", None)


def _was_refused(user: User, sender: Sender) -> bool:
    """Whether the person's newest redeemed token was refused by the chat that redeemed it."""
    newest = db.session.execute(
        select(LinkToken.refused_at)
        .where(LinkToken.user_id == user.id, LinkToken.sender_id == sender.id, LinkToken.used_at.is_not(None))
        .order_by(LinkToken.refused_at.desc().nulls_last(), LinkToken.id.desc())
        .limit(1)
    ).scalar()
    return newest is not None
