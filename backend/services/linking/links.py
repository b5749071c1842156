"""Links themselves: found, made, moved, ended, disabled while a chat cannot be written to.

Whoever changes which chat is linked to whom holds two locks until the transaction ends, always in this order: the
chat's, then the person's.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, select, update

from backend.channels.base import Content
from backend.core import clock, events, i18n
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Delivery, Identity, LinkToken, Message, Sender, TelegramLink, User
from backend.services import conversations, delivery
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.linking.events import LinkRefused
from backend.services.linking.texts import masked_account, send_reply

ACTIVE: Final = "active"
BLOCKED: Final = "blocked"
_LOCKS: Final = 0x4C494E4B
"""The class of this feature's advisory locks."""
_LINK_AND_CHAT: Final = (
    select(TelegramLink, Conversation)
    .join(Conversation, Conversation.id == TelegramLink.conversation_id)
    .where(TelegramLink.user_id == bindparam("user"), TelegramLink.sender_id == bindparam("sender"))
)
_WHY = "one person per bot and chat in the whole instance"


def link_of(user_id: int, sender_id: int) -> TelegramLink | None:
    """A person's link with a bot, in any state. Runs in the person's workspace scope."""
    return db.session.execute(
        select(TelegramLink).where(TelegramLink.user_id == user_id, TelegramLink.sender_id == sender_id)
    ).scalar_one_or_none()


def link_and_chat_of(user_id: int, sender_id: int) -> tuple[TelegramLink, Conversation] | None:
    """A person's link with a bot, in any state, and its chat; by one statement, in the person's workspace scope."""
    row = db.session.execute(_LINK_AND_CHAT, {"user": user_id, "sender": sender_id}).one_or_none()
    return None if row is None else (row.TelegramLink, row.Conversation)


def links_of(user_id: int) -> list[TelegramLink]:
    """All links of a person, the oldest first. Runs in the person's workspace scope."""
    return list(
        db.session.execute(
            select(TelegramLink).where(TelegramLink.user_id == user_id).order_by(TelegramLink.id)
        ).scalars()
    )


def link_of_chat(sender_id: int, hashed: bytes) -> TelegramLink | None:
    """The link of a chat, whichever workspace it belongs to."""
    with system_scope(_WHY):
        return db.session.execute(
            select(TelegramLink).where(TelegramLink.sender_id == sender_id, TelegramLink.chat_hash == hashed)
        ).scalar_one_or_none()


def owner_of(link: TelegramLink) -> User:
    """The person a link belongs to."""
    with workspace_scope(link.workspace_id):
        return db.session.get_one(User, link.user_id)


def lock(hashed: bytes, user: User) -> None:
    """Keeps everybody else from linking this chat, or this person, until the transaction ends."""
    number = conversations.chat_key(hashed) & 0x7FFFFFFF
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCKS, number)))
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))


def attach(by: Attribution, user: User, sender: Sender, conversation: Conversation) -> TelegramLink:
    """Links the chat to the person, moving an earlier link of theirs. The caller holds `lock`, has found that nobody
    else has the chat, and runs in the person's workspace scope.

    The chat that loses the link is told, and what still waited for it is canceled.
    """
    now = clock.now()
    link = link_of(user.id, sender.id)
    moved = link is not None and link.chat_hash != conversation.chat_hash
    if link is None:
        link = TelegramLink(workspace_id=user.workspace_id, user_id=user.id, sender_id=sender.id)
        db.session.add(link)
    elif moved:
        _leave(link, user, "link_moved", "linking.moved_away")
    link.conversation_id, link.chat_hash = conversation.id, conversation.chat_hash
    link.state, link.disabled_code, link.disabled_at, link.paused_at = ACTIVE, None, None, None
    link.linked_at = now
    db.session.flush()
    delivery.unblock(sender.id, conversation.chat_hash)
    audit.record(by, "telegram.linked", f"user:{user.id}", sender_id=sender.id, kind=conversation.kind, moved=moved)
    return link


def unlink(by: Attribution, link: TelegramLink, *, code: str = "unlinked", with_notice: bool = True) -> bool:
    """Ends a link and cancels with `code` what still waited for its person there; `with_notice` tells the chat.

    False where it had ended just before.
    """
    with workspace_scope(link.workspace_id):
        user = owner_of(link)
        lock(link.chat_hash, user)
        if db.session.get(TelegramLink, link.id, populate_existing=True) is None:
            return False
        _leave(link, user, code, "linking.unlinked" if with_notice else None)
        audit.record(by, "telegram.unlinked", f"user:{user.id}", sender_id=link.sender_id, code=code)
        db.session.delete(link)
        db.session.flush()
    return True


def unlink_all_of(by: Attribution, sender_id: int, code: str) -> int:
    """Ends every link with a sender that is removed; nobody can be told by it any more. Returns how many."""
    with system_scope(_WHY):
        query = select(TelegramLink).where(TelegramLink.sender_id == sender_id).order_by(TelegramLink.id)
        return sum(unlink(by, link, code=code, with_notice=False) for link in db.session.scalars(query).all())


def refuse(by: Attribution, link: TelegramLink) -> None:
    """Somebody in the chat says that they did not want this link: it ends, every open token of the person is void, and
    the account's owner learns of it (their status says so; the event `LinkRefused` is for other ways to tell them)."""
    with workspace_scope(link.workspace_id):
        now = clock.now()
        db.session.execute(
            update(LinkToken)
            .where(LinkToken.user_id == link.user_id, LinkToken.sender_id == link.sender_id)
            .where(LinkToken.used_at.is_(None))
            .values(used_at=now)
            .execution_options(synchronize_session="fetch")
        )
        db.session.execute(
            update(LinkToken)
            .where(LinkToken.user_id == link.user_id, LinkToken.sender_id == link.sender_id)
            .where(LinkToken.used_chat_hash == link.chat_hash)
            .values(refused_at=now)
            .execution_options(synchronize_session="fetch")
        )
        user_id, workspace_id, sender_id = link.user_id, link.workspace_id, link.sender_id
        audit.record(by, "telegram.link_refused", f"user:{user_id}", sender_id=sender_id)
        unlink(by, link, code="link_refused", with_notice=False)
        events.publish(LinkRefused(workspace_id, user_id, sender_id))


def disable_chat(sender_id: int, hashed: bytes, code: str) -> TelegramLink | None:
    """Disables the link of a chat that cannot be written to, for the reason `code`."""
    link = link_of_chat(sender_id, hashed)
    if link is None or (link.state == BLOCKED and link.disabled_code == code):
        return link
    with workspace_scope(link.workspace_id):
        link.state, link.disabled_code, link.disabled_at = BLOCKED, code, clock.now()
        audit.record(SYSTEM, "telegram.link_disabled", f"user:{link.user_id}", sender_id=sender_id, code=code)
        db.session.flush()
    return link


def restore_chat(sender_id: int, hashed: bytes) -> TelegramLink | None:
    """Enables the link of a chat that can be written to again."""
    delivery.unblock(sender_id, hashed)
    link = link_of_chat(sender_id, hashed)
    if link is None or link.state == ACTIVE:
        return link
    with workspace_scope(link.workspace_id):
        was, link.state, link.disabled_code, link.disabled_at = link.disabled_code, ACTIVE, None, None
        audit.record(SYSTEM, "telegram.link_restored", f"user:{link.user_id}", sender_id=sender_id, was=was)
        db.session.flush()
    return link


def pause(by: Attribution, link: TelegramLink) -> bool:
    """Pauses notifications until `resume`; False when they were paused already."""
    if link.paused_at is not None:
        return False
    with workspace_scope(link.workspace_id):
        link.paused_at = clock.now()
        audit.record(by, "telegram.paused", f"user:{link.user_id}", sender_id=link.sender_id)
        db.session.flush()
    return True


def resume(by: Attribution, link: TelegramLink) -> bool:
    """Ends a pause; False when there was none."""
    if link.paused_at is None:
        return False
    with workspace_scope(link.workspace_id):
        link.paused_at = None
        audit.record(by, "telegram.resumed", f"user:{link.user_id}", sender_id=link.sender_id)
        db.session.flush()
    return True


def _leave(link: TelegramLink, user: User, code: str, text: str | None) -> None:
    """Takes the person out of the link's present chat."""
    conversation = db.session.get_one(Conversation, link.conversation_id)
    waiting = (
        select(Delivery.message_id)
        .where(Delivery.conversation_id == conversation.id, Delivery.operation == "send")
        .where(Delivery.state == "due")
    )
    # The chat may be a group that others also write to: only what is for this person is canceled.
    for message in db.session.execute(
        select(Message).where(Message.id.in_(waiting), Message.user_id == user.id)
    ).scalars():
        delivery.cancel(message, code)
    if len(links_of(user.id)) == 1:
        # Who the person is at Telegram was known from this link alone.
        db.session.execute(
            update(Identity)
            .where(Identity.user_id == user.id, Identity.channel == conversations.family_of(conversation.channel))
            .values(user_id=None)
            .execution_options(synchronize_session="fetch")
        )
    if text is not None:
        send_reply(conversation, Content(i18n.text(text, user.locale, account=masked_account(user))), kind="notice")
