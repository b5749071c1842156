"""Faults on demand of the Graph API, chosen by call (`POST messages`), object and person."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from simulator.errors import invalid

KINDS = {
    "error": "an error (`status`, `code`, `subcode`, `message`, `details`, `retry_after`); nothing is accepted",
    "late_failure": "accept, then report `failed` with `code` after `seconds`",
    "latency": "accept, then answer after `seconds`",
    "hang": "accept nothing, hold the call for `seconds`, then close the connection",
    "drop_before": "close the connection without accepting",
    "drop_after": "accept, then close the connection without an answer",
    "garbage": "accept, then answer something that is no JSON",
}


@dataclass(slots=True)
class GraphFault:
    """One rule: `call` is a verb and an edge (`POST messages`, `GET media`), empty for every call. The first `skip`
    matching calls pass, then it strikes `count` times at most (0: without end)."""

    id: int
    kind: str
    call: str = ""
    node: str = ""
    to: str = ""
    count: int = 0
    skip: int = 0
    status: int = 400
    code: int = 1
    subcode: int = 0
    message: str = "An unknown error occurred"
    details: str = ""
    retry_after: int = 0
    seconds: float = 0.0
    struck: int = 0

    def describe(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return asdict(self)


_FIELDS = frozenset(known.name for known in fields(GraphFault)) - {"id", "kind", "struck"}


class GraphFaults:
    """The rules in force, in the order in which they were made."""

    def __init__(self) -> None:
        self.rules: list[GraphFault] = []
        self._last = 0

    def add(self, given: dict[str, Any]) -> GraphFault:
        """Make a rule. Raises ControlError 422 for an unknown kind, field or type of value."""
        values = dict(given)
        kind = values.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            raise invalid(f"kind must be one of {', '.join(KINDS)}")
        fault = GraphFault(self._last + 1, kind)
        for name, value in values.items():
            if name not in _FIELDS:
                raise invalid(f"a fault has no {name}")
            wanted = type(getattr(fault, name))
            if wanted is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not wanted:
                raise invalid(f"{name} has a value of the wrong kind")
            setattr(fault, name, value)
        self._last += 1
        self.rules.append(fault)
        return fault

    def strike(self, call: str, node: str, to: str) -> GraphFault | None:
        """The first rule that strikes this call, or None."""
        for rule in self.rules:
            if rule.call not in ("", call) or rule.node not in ("", node) or rule.to not in ("", to):
                continue
            if rule.count and rule.struck >= rule.count:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.struck += 1
            return rule
        return None
