"""reply_markup: what Telegram accepts, and how it is kept."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.links import link_address
from simulator.errors import bad_request
from simulator.model import JSON
from simulator.parameters import Call
from simulator.sizes import check_keyboard

MAX_BUTTONS = 100
CALLBACK_BYTES = 64
OTHER_ACTIONS = (
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)


def reply_markup(call: Call) -> tuple[JSON | None, JSON | None]:
    """(inline keyboard, other markup) of a call, each None when absent or empty. Raises ApiError 400."""
    value = call.structure("reply_markup", "reply keyboard markup")
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in value:
        return _inline(value["inline_keyboard"]), None
    if "keyboard" in value:
        return None, {**value, "keyboard": _rows(value["keyboard"], _plain)}
    return None, value if value.get("remove_keyboard") or value.get("force_reply") else None


def _rows(rows: Any, button: Any) -> list[list[JSON]]:
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" must be of type Array')
    keyboard = []
    for row in rows:
        if not isinstance(row, list):
            raise bad_request('field "inline_keyboard" must be an Array of Arrays')
        if line := [button(item) for item in row]:
            keyboard.append(line)
    if sum(map(len, keyboard)) > MAX_BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return keyboard


def _inline(rows: Any) -> JSON | None:
    keyboard = _rows(rows, _button)
    if keyboard:
        check_keyboard({"inline_keyboard": keyboard})
    return {"inline_keyboard": keyboard} if keyboard else None


def _plain(button: Any) -> JSON:
    if isinstance(button, str):
        return {"text": button}
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request("can't parse keyboard button: KeyboardButton must be a String or an Object with a text")
    return button


def _button(button: Any) -> JSON:
    wrong = "can't parse inline keyboard button: "
    if not isinstance(button, dict):
        raise bad_request(wrong + "InlineKeyboardButton must be an Object")
    text = button.get("text")
    if text is None:
        raise bad_request(wrong + 'Can\'t find field "text"')
    if not isinstance(text, str):
        raise bad_request(wrong + 'Field "text" must be of type String')
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    described: JSON = {"text": text}
    if isinstance(button.get("url"), str) and button["url"]:
        described["url"] = _address(button["url"])
    elif isinstance(button.get("callback_data"), str) and button["callback_data"]:
        if len(button["callback_data"].encode()) > CALLBACK_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
        described["callback_data"] = button["callback_data"]
    else:
        action = next((name for name in OTHER_ACTIONS if name in button), None)
        if action is None:
            raise bad_request(wrong + "Text buttons are unallowed in the inline keyboard")
        described[action] = button[action]
    for extra in ("style", "icon_custom_emoji_id"):
        if extra in button:
            described[extra] = button[extra]
    return described


def _address(url: str) -> str:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*):(?!\d)", url)
    if scheme and scheme[1].lower() not in ("http", "https", "tg", "ton"):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    address = link_address(url)
    if not address:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    return address
