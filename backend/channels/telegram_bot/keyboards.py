"""Inline keyboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.channels.base import Button
from backend.channels.richtext import has_visible, is_web_address
from backend.channels.telegram_bot import limits


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
        if not 1 <= len(button.data.encode("utf-8", "surrogatepass")) <= limits.CALLBACK_DATA_BYTES:
            raise ValueError(f"callback data of the button {button.text!r} must be 1 to 64 bytes")
        return {"text": button.text, "callback_data": button.data}
    assert button.url is not None
    if not is_web_address(button.url):
        raise ValueError(f"the button {button.text!r} may only open an http(s) address")
    return {"text": button.text, "url": button.url}


def without_addresses(rows: Sequence[Sequence[Button]]) -> tuple[tuple[Button, ...], ...]:
    """The same rows without the buttons that open an address."""
    kept = (tuple(button for button in row if button.url is None) for row in rows)
    return tuple(row for row in kept if row)
