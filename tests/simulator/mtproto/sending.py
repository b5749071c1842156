"""What was sent by an account of a box, and what arrived."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import TelegramBox


def sends(box: TelegramBox, **which: Any) -> list[tuple[str, str | None]]:
    """The outcome and the fault of each send of Ann's."""
    entries = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN, **which)["entries"]
    return [(entry["outcome"], entry.get("fault")) for entry in entries]


def texts(box: TelegramBox, of: str = BOB, chat: str = ANN) -> list[str]:
    """What stands in a box."""
    return [message["text"] for message in box.control("GET", f"/accounts/{of}/chats/{chat}")["messages"]]


def message(target: types.InputPeerUser, random_id: int = 7) -> functions.messages.SendMessageRequest:
    return functions.messages.SendMessageRequest(target, "Hello", random_id=random_id)
