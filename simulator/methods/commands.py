"""The bot's list of commands, per scope and language."""

from __future__ import annotations

import re

import orjson

from simulator.errors import bad_request
from simulator.methods import Context
from simulator.model import JSON
from simulator.parameters import Call

SCOPES = frozenset(
    {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    }
)
MAX_COMMANDS = 100


def _key(call: Call) -> str:
    scope = call.structure("scope", "BotCommandScope") or {"type": "default"}
    if not isinstance(scope, dict) or str(scope.get("type")) not in SCOPES:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    language = call.string("language_code")
    if not re.fullmatch(r"([a-z]{2})?", language):
        raise bad_request("invalid language code specified")
    return orjson.dumps([scope, language], option=orjson.OPT_SORT_KEYS).decode()


def set_my_commands(context: Context, call: Call) -> bool:
    """Replace the list for a scope and language."""
    given = call.listed("commands", "BotCommand")
    if given is None or len(given) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH" if given else "can't parse commands JSON object")
    commands: list[JSON] = []
    for item in given:
        if not isinstance(item, dict):
            raise bad_request("can't parse BotCommand: expected an Object")
        name = str(item.get("command", "")).removeprefix("/")
        description = str(item.get("description", ""))
        if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        commands.append({"command": name, "description": description})
    call.bot.commands[_key(call)] = commands
    context.world.touch()
    return True


def get_my_commands(context: Context, call: Call) -> list[JSON]:
    """The list for exactly this scope and language."""
    return call.bot.commands.get(_key(call), [])


def delete_my_commands(context: Context, call: Call) -> bool:
    """Forget the list for a scope and language."""
    call.bot.commands.pop(_key(call), None)
    context.world.touch()
    return True


METHODS = {
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
}
