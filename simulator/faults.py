"""Faults on demand: what a bot's developer wants to see survived. Chosen by bot, method and chat, by count,
chance and seed.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from simulator.errors import invalid

KINDS = {
    "error": "an error (error_code, description, retry_after, migrate_to_chat_id); nothing is accepted",
    "hang": "hold the call for `seconds`; `accept`: before (default), after, or never",
    "latency": "accept, then answer after `seconds`, or a random time between `min` and `max`",
    "drop_before": "close the connection without accepting",
    "drop_after": "accept, then close the connection without an answer",
    "garbage": "accept, then answer something that is no JSON (`body`, `status`)",
}
_TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(slots=True)
class Fault:
    """One rule. It applies to calls that match `bot` (id), `method` (lower case) and `chat_id`, where given.

    The first `skip` matching calls pass; then it strikes with `probability`, `count` times at most (0:
    without end). `block_bot` makes a 429 hold for the whole bot until its time has passed.
    """

    id: int
    kind: str
    bot: int = 0
    method: str = ""
    chat_id: int = 0
    count: int = 0
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    error_code: int = 500
    description: str = ""
    retry_after: int = 0
    migrate_to_chat_id: int = 0
    block_bot: bool = False
    seconds: float = 0.0
    min: float = 0.0
    max: float = 0.0
    accept: str = "before"
    body: str = "<html><body>502 Bad Gateway</body></html>"
    status: int = 200
    struck: int = 0
    random: random.Random = field(default_factory=random.Random)

    def describe(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "random"}

    def wait(self) -> float:
        """How long this strike holds the call."""
        return self.random.uniform(self.min, self.max) if self.max > 0 else self.seconds

    def error_text(self) -> str:
        """The description to answer."""
        if self.description:
            return self.description
        if self.error_code == 429:
            return f"Too Many Requests: retry after {self.retry_after}"
        return _TEXTS.get(self.error_code, "Internal Server Error")


_FIELDS = frozenset(known.name for known in fields(Fault)) - {"id", "kind", "struck", "random"}


class Faults:
    """The rules in force, in the order in which they were made."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._last = 0

    def add(self, fields: dict[str, Any]) -> Fault:
        """Make a rule. Raises ControlError 422 for an unknown kind, field or type of value."""
        fields = dict(fields)
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            raise invalid(f"kind must be one of {', '.join(KINDS)}")
        fault = Fault(id=self._last + 1, kind=kind)
        for name, value in fields.items():
            if name not in _FIELDS:
                raise invalid(f"a fault has no {name}")
            present = getattr(fault, name)
            if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not type(present):
                raise invalid(f"{name} has a value of the wrong kind")
            if isinstance(value, (int, float)) and value < 0 and name not in ("chat_id", "migrate_to_chat_id"):
                raise invalid(f"{name} cannot be negative")
            setattr(fault, name, value)
        fault.method = fault.method.lower()
        if fault.accept not in ("before", "after", "never"):
            raise invalid("accept must be before, after or never")
        if not (400 <= fault.error_code <= 599 and 200 <= fault.status <= 599):
            raise invalid("error_code must be 400 to 599, status 200 to 599")
        fault.random = random.Random(fault.seed)  # noqa: S311 - a repeatable choice, nothing secret
        self._last += 1
        self.rules.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        """Take a rule away; False when there is none of that number."""
        kept = [rule for rule in self.rules if rule.id != fault_id]
        gone = len(kept) < len(self.rules)
        self.rules = kept
        return gone

    def strike(self, bot_id: int, method: str, chat_id: int) -> Fault | None:
        """The first rule that strikes this call, or None."""
        for rule in self.rules:
            if rule.bot not in (0, bot_id) or rule.method not in ("", method) or rule.chat_id not in (0, chat_id):
                continue
            if rule.count and rule.struck >= rule.count:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1 and rule.random.random() >= rule.probability:
                continue
            rule.struck += 1
            return rule
        return None
