"""Linking from the outside: an API call names a chat, and unless the token came from there, the chat is asked.

The question is asked at most once for a token and chat, and seldom: it is the one way in which a call can make the bot
write to a chat of the caller's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.base import Button, Content
from backend.channels.inbound import Chat, ChatType, Person
from backend.core import clock, i18n
from backend.core.crypto import digest
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, NotFound, TooManyRequests
from backend.models import Conversation, LinkConfirmation, LinkToken, Sender, User
from backend.services import conversations, senders
from backend.services.auth import audit
from backend.services.auth.attribution import TELEGRAM, Attribution
from backend.services.linking import links
from backend.services.linking.redemption import Redemption, redeem_row
from backend.services.linking.texts import masked_account, send_reply
from backend.services.linking.tokens import looks_like_token

QUESTIONS: Final = 5
"""Questions that one person may have asked, and that one chat is asked, within `QUESTIONS_IN`."""
QUESTIONS_IN: Final = timedelta(hours=1)
_FIRST_SUPERGROUP = -1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the chat is linked now; else it was asked, and the caller may come back."""

    linked: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A question as the chat's side sees it."""

    id: int
    row: LinkConfirmation
    token: LinkToken


def verify(by: Attribution, user: User, token: str, chat_id: str) -> Verified:
    """Links the chat if the bot received this token from it, which is often done already; otherwise asks there.

    Runs in the person's workspace scope. Raises NotFound for a token that is not this person's, expired, or used
    elsewhere; Conflict(`chat_linked_elsewhere`); TooManyRequests.
    """
    row = _token_of(user, token)
    sender = senders.by_id(row.sender_id)
    if sender is None:
        raise _unknown()
    hashed = conversations.chat_hash(sender.channel, sender.id, chat_id)
    if row.used_at is not None:
        link = links.link_of(user.id, sender.id)
        if row.used_chat_hash == hashed and link is not None and link.chat_hash == hashed:
            return Verified(linked=True)
        raise _unknown()
    if row.expires_at <= clock.now():
        raise _unknown()
    holder = links.link_of_chat(sender.id, hashed)
    if holder is not None and holder.user_id != user.id:
        raise Conflict("chat_linked_elsewhere", "This chat is linked to another account.")
    _ask(by, user, row, sender, chat_id, hashed)
    return Verified(linked=False)


def find_confirmation(sender: Sender, confirmation_id: int, chat_id: str) -> Confirmation | None:
    """The open question with this id, if it was asked in this chat by this bot; None where it is not, or is over."""
    hashed = conversations.chat_hash(sender.channel, sender.id, chat_id)
    with system_scope("a question is found by the button under it"):
        row = db.session.get(LinkConfirmation, confirmation_id)
        if row is None or row.chat_hash != hashed or row.confirmed_at is not None:
            return None
        token = db.session.get(LinkToken, row.token_id)
    if token is None or token.sender_id != sender.id or token.used_at is not None or token.expires_at <= clock.now():
        return None
    return Confirmation(row.id, row, token)


def accept_confirmation(confirmation: Confirmation, sender: Sender, chat: Chat, person: Person) -> Redemption:
    """Accepts a question: redeems the token as if the chat had sent it."""
    redemption = redeem_row(confirmation.token, sender, chat, person)
    if redemption.outcome == "linked":
        with system_scope("the question belongs to the token's workspace"):
            confirmation.row.confirmed_at = clock.now()
            db.session.flush()
    return redemption


def refuse_confirmation(confirmation: Confirmation) -> None:
    """Refuses a question and voids the token, so that the same question is not asked elsewhere."""
    with system_scope("the question belongs to the token's workspace"):
        confirmation.token.used_at = confirmation.token.refused_at = clock.now()
        audit.record(
            TELEGRAM,
            "telegram.link_refused",
            f"user:{confirmation.token.user_id}",
            confirmation.token.workspace_id,
            sender_id=confirmation.token.sender_id,
        )
        db.session.flush()


def _token_of(user: User, token: str) -> LinkToken:
    if not looks_like_token(token):
        raise _unknown()
    row = db.session.execute(
        select(LinkToken).where(LinkToken.token_hash == digest(token), LinkToken.user_id == user.id)
    ).scalar_one_or_none()
    if row is None:
        raise _unknown()
    return row


def _unknown() -> NotFound:
    return NotFound("link_token_not_found", "This link token is unknown, expired or already used.")


def _ask(by: Attribution, user: User, row: LinkToken, sender: Sender, chat_id: str, hashed: bytes) -> None:
    existing_id = db.session.execute(
        select(LinkConfirmation.id).where(LinkConfirmation.token_id == row.id, LinkConfirmation.chat_hash == hashed)
    ).scalar()
    if existing_id is not None:
        return
    _check_patience(user, hashed)
    conversation = conversations.find(sender, chat_id, workspace_id=user.workspace_id)
    if conversation is None:
        chat = Chat(id=chat_id, type=_kind_of(chat_id))
        conversation = conversations.find_or_create(sender, chat, workspace_id=user.workspace_id)
    confirmation_id = db.session.execute(
        insert(LinkConfirmation)
        .values(
            workspace_id=user.workspace_id,
            token_id=row.id,
            chat_hash=hashed,
            conversation_id=conversation.id,
            asked_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["token_id", "chat_hash"])
        .returning(LinkConfirmation.id)
    ).scalar()
    if confirmation_id is None:
        return
    message_id = _question(conversation, user, confirmation_id)
    db.session.get_one(LinkConfirmation, confirmation_id).message_id = message_id
    audit.record(by, "telegram.link_confirmation_asked", f"user:{user.id}", sender_id=sender.id)
    db.session.flush()


def _question(conversation: Conversation, user: User, confirmation_id: int) -> int:
    buttons = (
        Button(i18n.text("linking.button.confirm", user.locale), data=f"link:confirm:{confirmation_id}"),
        Button(i18n.text("linking.button.refuse", user.locale), data=f"link:refuse:{confirmation_id}"),
    )
    text = i18n.text("linking.confirm.question", user.locale, account=masked_account(user))
    content = Content(text, buttons=(buttons,))
    return send_reply(conversation, content, kind="link_confirmation").id


def _check_patience(user: User, hashed: bytes) -> None:
    since = clock.now() - QUESTIONS_IN
    questions_of_account = db.session.execute(
        select(func.count())
        .select_from(LinkConfirmation)
        .join(LinkToken, LinkToken.id == LinkConfirmation.token_id)
        .where(LinkToken.user_id == user.id, LinkConfirmation.asked_at > since)
    ).scalar_one()
    with system_scope("a chat is asked seldom, whoever wants it asked"):
        questions_in_chat = db.session.execute(
            select(func.count())
            .select_from(LinkConfirmation)
            .where(LinkConfirmation.chat_hash == hashed, LinkConfirmation.asked_at > since)
        ).scalar_one()
    if max(questions_of_account, questions_in_chat) >= QUESTIONS:
        raise TooManyRequests(
            "too_many_confirmations",
            "Chats were asked for confirmation too often; open the linking address instead.",
            retry_after=int(QUESTIONS_IN.total_seconds()),
        )


def _kind_of(chat_id: str) -> ChatType:
    """What a chat is, by its id; the chat itself says so as soon as it writes."""
    number = int(chat_id)
    if number > 0:
        return "private"
    return "supergroup" if number <= _FIRST_SUPERGROUP else "group"
