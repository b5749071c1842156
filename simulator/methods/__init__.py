"""The methods of the Bot API, by lower-case name. Each takes the simulator's parts and a call, and returns
the result or raises ApiError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.files import FileStore
from simulator.parameters import Call
from simulator.rates import Limiter
from simulator.settings import Settings
from simulator.world import World


@dataclass(slots=True)
class Context:
    """What methods work on."""

    world: World
    settings: Settings
    limiter: Limiter
    files: FileStore
    now: float
    """Monotonic seconds."""


NAMES = {
    name.lower(): name
    for name in [
        "getMe",
        "setWebhook",
        "deleteWebhook",
        "getWebhookInfo",
        "getUpdates",
        "logOut",
        "close",
        "sendMessage",
        "sendPhoto",
        "sendDocument",
        "sendMediaGroup",
        "forwardMessage",
        "forwardMessages",
        "copyMessage",
        "copyMessages",
        "sendChatAction",
        "editMessageText",
        "editMessageCaption",
        "editMessageReplyMarkup",
        "deleteMessage",
        "deleteMessages",
        "answerCallbackQuery",
        "getFile",
        "getChat",
        "getChatMember",
        "getChatMemberCount",
        "getChatMembersCount",
        "getChatAdministrators",
        "leaveChat",
        "setMyCommands",
        "getMyCommands",
        "deleteMyCommands",
    ]
}
"""How Telegram writes each name; callers may write it in any case."""

Method = Callable[[Context, Call], Any]


def registry() -> dict[str, Method]:
    """All methods that answer at once."""
    from simulator.methods import answers, chats, commands, copies, edits, media, messages

    table: dict[str, Method] = {}
    for module in (messages, copies, edits, media, answers, chats, commands):
        table.update(module.METHODS)
    return table
