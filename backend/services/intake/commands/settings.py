"""`/settings`: language, quiet hours and types of notifications, switched by buttons under the message.

In a group the settings are still those of the person who linked it, so they are shown in the private chat only.
"""

from __future__ import annotations

from typing import Any, Final

from backend.channels.base import Button, Content
from backend.channels.inbound import Command
from backend.core import i18n
from backend.core.database import workspace_scope
from backend.models import User
from backend.services.auth.attribution import TELEGRAM
from backend.services.intake.commands.chat_context import ChatContext, Rows
from backend.services.notifications import known_types, settings

QUIET_HOURS: Final = {"start": "22:00", "end": "08:00"}
"""What the button turns on; other hours are chosen through the account."""
_MAX_DATA_BYTES: Final = 64
_MAX_TYPES: Final = 40
_PER_ROW: Final = 2


def show(context: ChatContext, _command: Command) -> None:
    """Answers with the settings, or says where they are to be had."""
    if context.link is None or context.user is None:
        context.send_reply("commands.settings.not_linked")
    elif not context.chat.is_private:
        context.send_reply("commands.settings.private_only")
    else:
        with workspace_scope(context.link.workspace_id):
            content = _content(context.user)
        context.send(content)


def press(context: ChatContext, action: str, argument: str) -> str | None:
    """Switches a setting and shows the new state; None for a button that is over."""
    link, user = context.link, context.user
    if link is None or user is None or not context.chat.is_private:
        return None
    with workspace_scope(link.workspace_id):
        if not _switch(user, action, argument):
            return None
        content = _content(user)
    context.rewrite(content)
    return context.text("commands.settings.saved")


def _switch(user: User, action: str, argument: str) -> bool:
    if action == "type":
        types = settings.preferences_of(user).types
        if argument not in types:
            return False
        settings.switch(TELEGRAM, user, argument, on=not types[argument])
        return True
    changes: dict[str, Any]
    if action == "locale" and argument in i18n.LOCALES:
        changes = {"locale": argument}
    elif action == "quiet" and argument in ("on", "off"):
        changes = {"quiet_hours": dict(QUIET_HOURS) if argument == "on" else None}
    else:
        return False
    settings.change(TELEGRAM, user, changes)
    return True


def _content(user: User) -> Content:
    """The settings of a person, in their language; runs in their workspace's scope."""
    chosen = settings.preferences_of(user)
    locale = chosen.locale
    quiet = chosen.quiet_hours
    lines = [
        i18n.text("commands.settings.title", locale),
        i18n.text("commands.settings.language", locale, language=i18n.text("commands.language", locale)),
        i18n.text("commands.settings.quiet_on", locale, **quiet, timezone=chosen.timezone)
        if quiet
        else i18n.text("commands.settings.quiet_off", locale),
        i18n.text("commands.settings.explain", locale),
    ]
    buttons = (*_type_buttons(chosen.types, locale), *_other_buttons(locale, bool(quiet)))
    return Content("\n".join(lines), buttons=buttons)


def _type_buttons(types: dict[str, bool], locale: str) -> Rows:
    buttons = [
        Button(f"{'✅' if on else '🔕'} {known_types.title(name, locale)}"[:60], data=f"settings:type:{name}")
        for name, on in list(types.items())[:_MAX_TYPES]
        # Telegram refuses a whole keyboard for one button with more.
        if len(f"settings:type:{name}".encode()) <= _MAX_DATA_BYTES
    ]
    return tuple(tuple(buttons[at : at + _PER_ROW]) for at in range(0, len(buttons), _PER_ROW))


def _other_buttons(locale: str, quiet: bool) -> Rows:
    languages = tuple(
        Button(i18n.text("commands.language", other), data=f"settings:locale:{other}")
        for other in i18n.LOCALES
        if other != locale
    )
    new_state = "off" if quiet else "on"
    label = i18n.text(f"commands.settings.button.quiet_{new_state}", locale, **QUIET_HOURS)
    return (languages, (Button(label, data=f"settings:quiet:{new_state}"),))
