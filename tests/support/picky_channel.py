"""A provider in memory that refuses as Telegram does, and whose readers delete messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from backend.channels.base import Content, Operation, Receipt
from backend.channels.errors import ChannelError, Rejected
from backend.channels.forms import AS_MEANT, Form
from backend.channels.telegram_bot import TelegramBot
from backend.channels.telegram_bot.errors import from_answer
from tests.support.fake_channel import FakeChannel

_TELEGRAM = TelegramBot()
Judge = Callable[[Operation], "str | ChannelError | None"]


def refusal(description: str, status: int = 400) -> ChannelError:
    """What an answer of Telegram's with this description means."""
    return from_answer(status, {"ok": False, "error_code": status, "description": description})


@dataclass
class PickyChannel(FakeChannel):
    """Splits and climbs down as Telegram's channel does. `judge` gives the description with which an operation is
    refused; `shown` is what each message says now, by its id."""

    judge: Judge | None = None
    refused: list[Operation] = field(default_factory=list)
    shown: dict[str, Content] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.script = self._answer

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """As Telegram's."""
        return _TELEGRAM.split(content, form, first=first)

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """As Telegram's."""
        return _TELEGRAM.milder(op, refusal)

    def delete(self, external_id: str | None) -> None:
        """Its reader deletes a message."""
        del self.shown[external_id or ""]

    def _answer(self, op: Operation) -> Receipt | ChannelError | None:
        said = self.judge(op) if self.judge else None
        if isinstance(said, str):
            said = refusal(f"Bad Request: {said}")
        if said is None and op.kind == "edit" and op.external_id not in self.shown:
            said = refusal("Bad Request: message to edit not found")
        if said is not None:
            self.refused.append(op)
            return said
        if op.kind == "send":
            op_id = str(7000 + len(self.accepted))
            self.shown[op_id] = op.content or Content()
            return Receipt((op_id,))
        if op.kind == "edit":
            self.shown[op.external_id or ""] = op.content or Content()
        return None
