"""What the bot says about links, in the reader's language."""

from __future__ import annotations

from backend.channels.base import Button, Content
from backend.core import i18n
from backend.models import Conversation, Message, TelegramLink, User
from backend.services import delivery


def masked_account(user: User) -> str:
    """The account as it may be shown in a chat: `m***@example.com`; without an address the head of its name."""
    name, separator, domain = (user.email or "").partition("@")
    if separator:
        return f"{name[:1]}***@{domain}"
    return f"{user.name[:1]}***"


def linked_content(link: TelegramLink, user: User, *, group: bool) -> Content:
    """What a chat is told that was just linked, with the button for somebody who did not want that."""
    code = "linking.linked_group" if group else "linking.linked"
    button = Button(i18n.text("linking.button.not_me", user.locale), data=f"link:notme:{link.id}")
    return Content(i18n.text(code, user.locale, account=masked_account(user)), buttons=((button,),))


def send_reply(
    conversation: Conversation,
    content: Content,
    *,
    kind: str = "reply",
    user_id: int | None = None,
    reply_to: str | None = None,
) -> Message:
    """Answers in a chat, ahead of notifications."""
    return delivery.send(
        conversation,
        content,
        kind=kind,
        lane=delivery.Priority.REPLY,
        expires_in=delivery.REPLY_LIFE,
        user_id=user_id,
        reply_to=reply_to,
    )
