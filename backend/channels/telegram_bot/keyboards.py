"""Inline keyboards: how they are written, and which buttons Telegram takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from backend.channels.base import Button
from backend.channels.richtext import has_visible, is_web_address
from backend.channels.telegram_bot import limits

Rows = tuple[tuple[Button, ...], ...]


def build_keyboard(rows: Sequence[Sequence[Button]]) -> dict[str, Any] | None:
    """The `reply_markup` of these rows of buttons; None when there is no button at all.

    Raises ValueError, naming the button's text, for callback data that is not 1 to 64 bytes of UTF-8, for an
    address that is not http(s), and for a button without text.
    """
    keyboard = [[_build_button(button) for button in row] for row in rows if row]
    return {"inline_keyboard": keyboard} if keyboard else None


def _build_button(button: Button) -> dict[str, str]:
    if not has_visible(button.text):
        raise ValueError("a button needs a text")
    if button.data is not None:
        if not _is_data(button.data):
            raise ValueError(f"callback data of the button {button.text!r} must be 1 to 64 bytes")
        return {"text": button.text, "callback_data": button.data}
    assert button.url is not None
    if not is_web_address(button.url):
        raise ValueError(f"the button {button.text!r} may only open an http(s) address")
    return {"text": button.text, "url": button.url}


def _is_data(data: str) -> bool:
    return 1 <= len(data.encode("utf-8", "surrogatepass")) <= limits.CALLBACK_DATA_BYTES


def is_openable(url: str) -> bool:
    """Whether Telegram takes this as a button's address: an http(s) one whose host has a dot, or is an IPv6 address.
    A machine's bare name is refused, and with it the message."""
    if not is_web_address(url):
        return False
    host = urlsplit(url).hostname or ""
    return "." in host.strip(".") or ":" in host


def is_acceptable(button: Button) -> bool:
    """Whether a button as such is one that Telegram takes."""
    if not button.text.strip():
        return False
    return _is_data(button.data) if button.data is not None else is_openable(button.url or "")


def fits(rows: Sequence[Sequence[Button]]) -> bool:
    """Whether a keyboard of these acceptable buttons is small enough."""
    keyboard = build_keyboard(rows)
    if keyboard is None:
        return True
    # As the request writes it: every character beyond ASCII takes six bytes.
    size = len(json.dumps(keyboard))
    return size <= limits.KEYBOARD_BYTES and sum(len(row) for row in rows) <= limits.BUTTONS


def without(rows: Sequence[Sequence[Button]], removed: Sequence[Button]) -> Rows:
    """The same rows without some buttons, told apart by identity."""
    removed_ids = {id(button) for button in removed}
    kept = (tuple(button for button in row if id(button) not in removed_ids) for row in rows)
    return tuple(row for row in kept if row)
