"""One line of the set-up checks: a check, its state, a code for why, and what may be done about it.

Rows hold codes and values; the words for people are chosen when somebody reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from backend.core import i18n

State = Literal["ok", "warning", "failed", "waiting", "unknown"]
Action = Literal["subscribe", "register", "renew", "change"]
STATES: Final[tuple[State, ...]] = ("ok", "warning", "failed", "waiting", "unknown")
CHECKS: Final = (
    "secret",
    "verify_token",
    "token",
    "data_access",
    "permissions",
    "renewal",
    "account",
    "number",
    "quality",
    "subscription",
    "fields",
    "inbound",
    "development",
    "version",
    "unknown_items",
)
"""Every check, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. `values` are for its words: plain JSON. `action` names what mends it from here, None where
    only a person at the provider can. `at` is when it was found out."""

    check: str
    state: State
    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    action: Action | None = None
    at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The row's form."""
        at = self.at.isoformat() if self.at is not None else None
        return {
            "check": self.check,
            "state": self.state,
            "code": self.code,
            "values": dict(self.values),
            "action": self.action,
            "at": at,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """The result that a row holds."""
        at = value.get("at")
        return cls(
            value["check"],
            value["state"],
            value["code"],
            value.get("values") or {},
            value.get("action"),
            datetime.fromisoformat(at) if isinstance(at, str) else None,
        )

    def name(self, locale: str) -> str:
        """What is checked, in words."""
        return i18n.text(f"channel_setup.check.{self.check}", locale)

    def text(self, locale: str) -> str:
        """What was found, in words."""
        return i18n.text(f"channel_setup.result.{self.code}", locale, **self._words(locale))

    def hint(self, locale: str) -> str | None:
        """What to do, in words; None where there is nothing to do."""
        code = f"channel_setup.do.{self.code}"
        return i18n.text(code, locale, **self._words(locale)) if code in i18n.catalog(locale) else None

    def _words(self, locale: str) -> dict[str, Any]:
        values = {"detail": "", **self.values}
        for name in ("reason", "quality", "status"):
            known = f"channel_setup.{name}.{values.get(name)}"
            if name in values and known in i18n.catalog(locale):
                values[name] = i18n.text(known, locale)
        return values


def newest(kept: Sequence[Result], findings: Sequence[Result]) -> list[Result]:
    """What is known now: what could not be found out this time stands as it was found last."""
    before = {result.check: result for result in kept}
    return [
        before[result.check] if result.state == "unknown" and result.check in before else result for result in findings
    ]


def worst(findings: Sequence[Result]) -> State:
    """The state of a whole integration."""
    states = {result.state for result in findings}
    if "failed" in states:
        return "failed"
    if "warning" in states:
        return "warning"
    return "ok" if "ok" in states else "unknown"


def read(stored: Sequence[Mapping[str, Any]]) -> list[Result]:
    """The results that a row holds."""
    return [Result.from_json(value) for value in stored]
