"""Faults of the accounts' protocol on demand, chosen by account, method and peer, by count, chance and seed."""

from __future__ import annotations

import math
import random
import time
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from simulator.errors import invalid

KINDS = {
    "error": "refuse with `code` and `message`, such as 420 and FLOOD_WAIT_30; `notice` is told to the person",
    "flood_wait": "refuse for `seconds` from the first strike on, and say how long it still is",
    "latency": "hold the request for `seconds` before it is carried out; it is in work meanwhile",
    "lose_reply": "carry it out and never answer",
    "ignore": "neither carry it out nor answer",
    "drop_before": "close the connection without carrying it out",
    "drop_after": "carry it out, then close the connection without an answer",
    "lose_push": "do not tell the account's devices of a change",
    "repeat_push": "tell them of a change twice",
}
PUSHES = ("lose_push", "repeat_push")


@dataclass(slots=True)
class AccountFault:
    """One rule. It applies to calls that match `account` (a person's id), `method` (any case, with * and ?) and
    `peer`, where given; `only_strangers`: to people who never wrote to the account and do not have its number.

    The first `skip` matching calls pass; then it strikes with `probability`, `count` times at most (0: without end).
    """

    id: int
    kind: str
    account: int = 0
    method: str = ""
    peer: int = 0
    only_strangers: bool = False
    count: int = 0
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    code: int = 500
    message: str = "INTERNAL"
    notice: str = ""
    seconds: float = 0.0
    struck: int = 0
    began: float = 0.0
    random: random.Random = field(default_factory=random.Random)

    def describe(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in ("random", "began")}

    def remaining(self) -> int:
        """Whole seconds for which a `flood_wait` still refuses, 0 once it is over. It begins when it is asked first."""
        now = time.monotonic()
        self.began = self.began or now
        return max(math.ceil(self.began + self.seconds - now), 0)


_FIELDS = frozenset(known.name for known in fields(AccountFault)) - {"id", "kind", "struck", "began", "random"}


class AccountFaults:
    """The rules in force, in the order in which they were made."""

    def __init__(self) -> None:
        self.rules: list[AccountFault] = []
        self._last = 0

    def add(self, given: dict[str, Any]) -> AccountFault:
        """Make a rule. Raises ControlError 422 for an unknown kind, field or type of value."""
        values = dict(given)
        kind = values.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            raise invalid(f"kind must be one of {', '.join(KINDS)}")
        fault = AccountFault(self._last + 1, kind)
        for name, value in values.items():
            if name not in _FIELDS:
                raise invalid(f"a fault has no {name}")
            present = getattr(fault, name)
            if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not type(present):
                raise invalid(f"{name} has a value of the wrong kind")
            if isinstance(value, (int, float)) and value < 0:
                raise invalid(f"{name} cannot be negative")
            setattr(fault, name, value)
        if not 400 <= fault.code <= 599 and fault.code != 303:
            raise invalid("code must be 303 or 400 to 599")
        fault.method = fault.method.lower()
        fault.random = random.Random(fault.seed)  # noqa: S311 - a repeatable choice, nothing secret
        self._last += 1
        self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """No faults any more."""
        self.rules.clear()

    def remove(self, fault_id: int) -> bool:
        """Take a rule away; False when there is none of that number."""
        kept = [rule for rule in self.rules if rule.id != fault_id]
        gone = len(kept) < len(self.rules)
        self.rules = kept
        return gone

    def strike(self, account: int, method: str, peer: int = 0, *, stranger: bool = False) -> AccountFault | None:
        """The first rule that strikes this call, or None."""
        return self._first([rule for rule in self.rules if rule.kind not in PUSHES], account, method, peer, stranger)

    def pushes(self, account: int, peer: int) -> int:
        """How often the account's devices are told of a change in the chat with `peer`: once, unless a rule strikes."""
        rules = [rule for rule in self.rules if rule.kind in PUSHES]
        rule = self._first(rules, account, "", peer, False)
        if rule is None:
            return 1
        return 0 if rule.kind == "lose_push" else 2

    def _first(
        self, rules: list[AccountFault], account: int, method: str, peer: int, stranger: bool
    ) -> AccountFault | None:
        for rule in rules:
            if rule.account not in (0, account) or rule.peer not in (0, peer) or (rule.only_strangers and not stranger):
                continue
            if rule.method and method and not fnmatchcase(method.lower(), rule.method):
                continue
            if rule.count and rule.struck >= rule.count:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1 and rule.random.random() >= rule.probability:
                continue
            if rule.kind == "flood_wait" and not rule.remaining():
                continue
            rule.struck += 1
            return rule
        return None
