"""Redeeming a token: the chat it came from becomes its owner's. A failed attempt burns nothing; of two, one wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update

from backend.channels.inbound import Chat, Person
from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db, system_scope, workspace_scope
from backend.models import LinkToken, Sender, TelegramLink, User
from backend.services import conversations
from backend.services.auth.attribution import TELEGRAM
from backend.services.linking import links
from backend.services.linking.tokens import looks_like_token

Outcome = Literal["linked", "already", "expired", "used", "unknown", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Redemption:
    """What came of it. `link` and `user` are there for `linked` and `already` only."""

    outcome: Outcome
    link: TelegramLink | None = None
    user: User | None = None


def redeem(sender: Sender, token: str, chat: Chat, person: Person | None) -> Redemption:
    """Links the chat that this bot received the token from. The caller has made sure that the message proves its
    sender, and in a group that they administer it."""
    if not looks_like_token(token):
        return Redemption("unknown")
    with system_scope("a token names its own workspace"):
        row = db.session.execute(
            select(LinkToken).where(LinkToken.token_hash == digest(token), LinkToken.sender_id == sender.id)
        ).scalar_one_or_none()
    if row is None:
        return Redemption("unknown")
    return redeem_row(row, sender, chat, person)


def redeem_row(row: LinkToken, sender: Sender, chat: Chat, person: Person | None) -> Redemption:
    """`redeem` for a token that was found already."""
    hashed = conversations.chat_hash(sender.channel, sender.id, chat.id)
    with workspace_scope(row.workspace_id):
        user = db.session.get(User, row.user_id)
        if user is None or user.disabled_at is not None:
            return Redemption("unknown")
        links.lock(hashed, user)
        db.session.refresh(row)
        refusal = _refusal(row, user, sender, hashed)
        if refusal is not None:
            return refusal
        burnt = db.session.execute(
            update(LinkToken)
            .where(LinkToken.id == row.id, LinkToken.used_at.is_(None))
            .values(used_at=clock.now(), used_chat_hash=hashed, used_by_webhook=True)
            .returning(LinkToken.id)
            .execution_options(synchronize_session="fetch")
        ).scalar()
        if burnt is None:
            return Redemption("used")
        conversation = conversations.find_or_create(sender, chat, workspace_id=row.workspace_id, person=person)
        link = links.attach(TELEGRAM, user, sender, conversation)
        if person is not None:
            # Whoever holds the token is its owner: in a group too their presses are known as theirs from now on.
            conversations.identity_of(sender.channel, person, workspace_id=row.workspace_id, user_id=user.id)
        return Redemption("linked", link, user)


def _refusal(row: LinkToken, user: User, sender: Sender, hashed: bytes) -> Redemption | None:
    if row.used_at is not None:
        link = links.link_of(user.id, sender.id)
        mine = row.used_chat_hash == hashed and link is not None and link.chat_hash == hashed
        return Redemption("already", link, user) if mine else Redemption("used")
    if row.expires_at <= clock.now():
        return Redemption("expired")
    holder = links.link_of_chat(sender.id, hashed)
    return Redemption("elsewhere") if holder is not None and holder.user_id != user.id else None
