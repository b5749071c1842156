"""A provider in memory: answers each operation as its script says and remembers what it accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from backend.channels import registry
from backend.channels.base import (
    Content,
    Credentials,
    Limits,
    Operation,
    Receipt,
    SenderFacts,
)
from backend.channels.errors import ChannelError, Rejected, RetryLater
from backend.channels.forms import AS_MEANT, Form
from backend.channels.inbound import InboundEvent
from backend.channels.spec import Item

Script = Callable[[Operation], "Receipt | ChannelError | None"]


@dataclass
class FakeChannel:
    """Stands in for a provider's channel. `script` may answer an operation; None accepts it."""

    name: str = "telegram_bot"
    limits: Limits = field(default_factory=Limits)
    accepted: list[Operation] = field(default_factory=list)
    script: Script | None = None
    ladder: Callable[[Operation, Rejected], Form | None] | None = None
    part_chars: int = 100
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> Self:
        """Registers it under its name and returns it."""
        declared = registry.spec(self.name if self.name in registry.names() else "telegram_bot")
        assert declared.webhook is not None
        webhook = replace(declared.webhook, split=lambda body: self.items(body), parse=lambda body: self.parse(body))
        registry.put(self.name, self, replace(declared, name=self.name, webhook=webhook))
        return self

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Follows the script."""
        if time.monotonic() >= deadline:
            raise RetryLater(0, "deadline_passed")
        answer = self.script(op) if self.script else None
        if isinstance(answer, ChannelError):
            raise answer
        with self._lock:
            self.accepted.append(op)
            number = len(self.accepted)
        if answer is not None:
            return answer
        return Receipt((str(1000 + number),)) if op.kind == "send" else Receipt()

    def texts(self, kind: str = "send") -> list[str]:
        """The accepted texts of one kind of operation, in order."""
        return [op.content.text for op in self.accepted if op.kind == kind and op.content is not None]

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """Follows `ladder`; by default nothing is milder."""
        return self.ladder(op, refusal) if self.ladder else None

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """Pieces of `part_chars` characters, buttons on the last; of a form it knows media and buttons."""
        if form.media_kept is not None and form.media_kept <= first:
            content = replace(content, media=())
        if form.without_buttons:
            content = replace(content, buttons=())
        text = content.text
        pieces = [text[i : i + self.part_chars] for i in range(0, len(text), self.part_chars)] or [""]
        parts = [replace(content, text=piece, buttons=(), media=()) for piece in pieces]
        parts[0] = replace(parts[0], media=content.media)
        parts[-1] = replace(parts[-1], buttons=content.buttons)
        return parts

    def probe(self, credentials: Credentials) -> SenderFacts:
        """Always the same bot."""
        return SenderFacts("900001", "example_bot", "Example")

    def items(self, body: bytes) -> list[Item]:
        """The body is its own key."""
        return [Item(None, body.hex()[:200] or "empty", "all", "fake", body)]

    def parse(self, body: bytes) -> Sequence[InboundEvent]:
        """Nothing ever happened."""
        return []
