"""The buttons under an alert, pressed: `alert:<action>:<id of the alert>`.

What comes back is only a hint: whether the chat has that alert, who pressed, and whether they may, is found out here.
"""

from __future__ import annotations

from typing import Final, cast

from sqlalchemy import select

from backend.channels.inbound import ButtonPressed
from backend.core import i18n
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.models import AlertMessage, Conversation, Identity, Sender, User
from backend.services import conversations, delivery
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.messages.texts import PREFIX, moment
from backend.services.alerts.state import states
from backend.services.alerts.state.states import Action
from backend.services.auth.actor import OPERATOR, reaches
from backend.services.auth.attribution import Attribution

_ACTIONS: Final = ("ack", "unack", "snooze", "wake", "resolve", "silence")
_VIA: Final = "telegram"


def press(sender: Sender, pressed: ButtonPressed) -> bool:
    """Does what a button says and answers its press, in the caller's transaction; False where no chat has that alert.

    The presser is known by their linked account, in a group too, and needs the role operator.
    """
    action, alert_id = read(pressed.data)
    if pressed.chat is None or alert_id is None:
        return False
    chat = _chat_of(sender, pressed, alert_id)
    if chat is None:
        return False
    with workspace_scope(chat.workspace_id):
        user = _presser(sender, pressed)
        locale = user.locale if user is not None else i18n.negotiate(pressed.person.language)
        words, alert = _answer(user, action, alert_id, locale)
        delivery.answer_callback(sender, pressed.callback_id, words[:200], alert=alert, workspace_id=chat.workspace_id)
    return True


def read(data: str) -> tuple[str, int | None]:
    """Action and alert that callback data name; None for an id that cannot be one."""
    action, _, number = data.removeprefix(PREFIX).partition(":")
    usable = action in _ACTIONS and number.isascii() and number.isdigit() and len(number) < 19
    return action, int(number) if usable else None


def _chat_of(sender: Sender, pressed: ButtonPressed, alert_id: int) -> Conversation | None:
    """The conversation in which this alert was said in the pressed chat."""
    if pressed.chat is None:
        return None
    hashed = conversations.chat_hash(sender.channel, sender.id, pressed.chat.id)
    with system_scope("a press names a chat; its workspace is found here"):
        return db.session.scalars(
            select(Conversation)
            .join(AlertMessage, AlertMessage.conversation_id == Conversation.id)
            .where(Conversation.sender_id == sender.id, Conversation.chat_hash == hashed)
            .where(AlertMessage.alert_id == alert_id)
            .limit(1)
        ).one_or_none()


def _presser(sender: Sender, pressed: ButtonPressed) -> User | None:
    """Who pressed, as the workspace knows them by their link."""
    hashed = conversations.identity_hash(sender.channel, pressed.person.id)
    return db.session.scalars(
        select(User)
        .join(Identity, Identity.user_id == User.id)
        .where(Identity.external_hash == hashed, User.disabled_at.is_(None))
    ).one_or_none()


def _answer(user: User | None, action: str, alert_id: int, locale: str) -> tuple[str, bool]:
    """The words of the answer, and whether they have to be read."""
    if user is None:
        return i18n.text("alerts.answer.not_linked", locale), True
    if not reaches(user.role, OPERATOR):
        return i18n.text("alerts.answer.role", locale), True
    by = Attribution(_VIA, _VIA, user.id, user.name)
    try:
        # A refusal takes back what was begun, and nothing of the event around it.
        with db.session.begin_nested():
            return _do(action, alert_id, by, locale), False
    except AppError as error:
        code = {"alert_resolved": "over", "too_many_silences": "too_many_silences"}.get(error.code, "gone")
        return i18n.text(f"alerts.answer.{code}", locale), True


def _do(action: str, alert_id: int, by: Attribution, locale: str) -> str:
    if action == "silence":
        silence = actions.silence(alert_id, by)
        return i18n.text("alerts.answer.silenced", locale, until=moment(silence.ends_at))
    case, changed = actions.apply(alert_id, cast(Action, action), by)
    if not changed:
        return i18n.text("alerts.answer.nothing", locale)
    until = moment(case.alert.snoozed_until) if case.alert.snoozed_until else ""
    return i18n.text(f"alerts.answer.{states.DONE[cast(Action, action)]}", locale, until=until)
