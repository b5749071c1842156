"""The buttons under a notification, pressed: `notify:mute:<type>`, `notify:unmute:<type>`, `notify:retry:<event>`.

What comes back is only a hint of what was pressed: who pressed it, where, and whether it is theirs, is found out here.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from backend.channels.base import Button, Content
from backend.channels.inbound import ButtonPressed
from backend.core import i18n
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Identity, Message, NotificationEvent, Sender, TelegramLink, User
from backend.services import conversations, delivery
from backend.services.auth import audit
from backend.services.auth.attribution import TELEGRAM
from backend.services.notifications import custom_types, known_types, rendering, retry, settings
from backend.services.notifications.rendering import Keyboard, mute_button

PREFIX = "notify:"


def press(sender: Sender, pressed: ButtonPressed) -> bool:
    """Does what a button says and answers its press, in the caller's transaction; False if no workspace has that chat.

    Only the person whose link the chat is may press, in a group too. What they switch applies to all messages of the
    type; the pressed message's own button changes at once.
    """
    if pressed.chat is None:
        return False
    hashed = conversations.chat_hash(sender.channel, sender.id, pressed.chat.id)
    with system_scope("a press names a chat; its workspace is found here"):
        link = db.session.scalars(
            select(TelegramLink).where(TelegramLink.sender_id == sender.id, TelegramLink.chat_hash == hashed)
        ).one_or_none()
        chats = conversations.by_chat(sender.id, hashed)
    if link is None:
        return _nobody(sender, pressed, chats)
    with workspace_scope(link.workspace_id):
        user = db.session.get_one(User, link.user_id)
        if not _is_theirs(sender, pressed, user):
            _answer(
                sender, pressed, user.workspace_id, i18n.text("notifications.answer.not_yours", user.locale), alert=True
            )
            return True
        conversation = db.session.get_one(Conversation, link.conversation_id)
        _answer(sender, pressed, user.workspace_id, _do(user, conversation, pressed))
    return True


def _nobody(sender: Sender, pressed: ButtonPressed, chats: list[Conversation]) -> bool:
    """The chat was unlinked since: whoever sent the message there last answers."""
    if not chats:
        return False
    workspace_id = chats[-1].workspace_id
    with workspace_scope(workspace_id):
        answer = i18n.text("notifications.answer.not_linked", i18n.negotiate(pressed.person.language))
        _answer(sender, pressed, workspace_id, answer, alert=True)
    return True


def _is_theirs(sender: Sender, pressed: ButtonPressed, user: User) -> bool:
    """Whether the presser is the linked person: alone in a private chat, known by their identity in a group."""
    if pressed.chat is not None and pressed.chat.is_private:
        return pressed.person.id == pressed.chat.id
    hashed = conversations.identity_hash(sender.channel, pressed.person.id)
    known = select(Identity.id).where(Identity.external_hash == hashed, Identity.user_id == user.id)
    return db.session.execute(known).first() is not None


def _do(user: User, conversation: Conversation, pressed: ButtonPressed) -> str:
    """Carries the press out and returns the words of the answer."""
    action, _, argument = pressed.data.removeprefix(PREFIX).partition(":")
    if action in ("mute", "unmute") and custom_types.NAME.fullmatch(argument):
        settings.switch(TELEGRAM, user, argument, on=action == "unmute")
        message = conversations.message_at(conversation, pressed.message_id) if pressed.message_id else None
        if message is not None:
            _show_switched(message, user, argument, muted=action == "mute")
        title = known_types.title(argument, user.locale)
        return i18n.text(f"notifications.answer.{action}d", user.locale, title=title)
    if action == "retry" and argument.isascii() and argument.isdigit() and len(argument) < 19:
        return _retry(user, int(argument))
    return i18n.text("notifications.answer.gone", user.locale)


def _retry(user: User, event_id: int) -> str:
    event = db.session.get(NotificationEvent, event_id)
    way = retry.way_for(event) if event is not None and event.user_id == user.id else None
    if event is None or way is None:
        return i18n.text("notifications.answer.gone", user.locale)
    way.run(event)
    audit.record(TELEGRAM, "post.retry_requested", f"event:{event.id}", by=f"user:{user.id}", way=way.name)
    return i18n.text("notifications.answer.retrying", user.locale)


def _show_switched(message: Message, user: User, type_name: str, *, muted: bool) -> None:
    """Has the message offer the opposite; its words stay as they were sent."""
    if message.direction != "out":
        return
    parts = [Content.from_json(part) for part in message.body["parts"]]
    switched = _switched(parts[-1].buttons, type_name, user.locale, muted=muted)
    if switched == parts[-1].buttons:
        return
    if len(parts) == 1:
        delivery.edit(message, replace(parts[0], buttons=switched))
        return
    # In several parts the text was cut: it is rendered again, unless its type is gone.
    event = db.session.scalars(
        select(NotificationEvent)
        .where(NotificationEvent.message_id == message.id)
        .order_by(NotificationEvent.id.desc())
        .limit(1)
    ).one_or_none()
    exists, own = rendering.type_of(event) if event else (False, None)
    if event is not None and exists:
        media = tuple(item for part in parts for item in part.media)
        delivery.edit(message, rendering.content_of(event, own, user.locale, muted=muted, media=media))


def _switched(buttons: Keyboard, type_name: str, locale: str, *, muted: bool) -> Keyboard:
    """The keyboard with the type's own button turned round, every other one as it is."""
    ours = {f"{PREFIX}{action}:{type_name}" for action in ("mute", "unmute")}

    def turned(button: Button) -> Button:
        return mute_button(type_name, locale, muted=muted) if button.data in ours else button

    return tuple(tuple(turned(button) for button in row) for row in buttons)


def _answer(sender: Sender, pressed: ButtonPressed, workspace_id: int, answer: str, *, alert: bool = False) -> None:
    delivery.answer_callback(sender, pressed.callback_id, answer[:200], alert=alert, workspace_id=workspace_id)
