"""What a refusal of the Graph API means: plain values of status, `error.code` and `error.error_subcode`, with a table.

The HTTP status says little: rate errors may come as 403, so the code decides (Graph API, "Handling errors"). What all
of Meta's platforms share stands in `PLATFORM`; a channel adds its own entries, which win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.richtext import storable
from backend.core import clock
from backend.core.egress.answers import retry_after as retry_after_of

Class = Literal["later", "disabled", "rejected", "transient"]
Entry = tuple[Class, str]

RATE_WAIT: Final = 300.0
TRANSIENT_WAIT: Final = 30.0
_MAX_WAIT: Final = 86_400.0
_MAX_DETAIL: Final = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as it was answered. `code` and `subcode` are 0 where there is none, and `named` says whether there was
    an error object at all; `detail` is the platform's own sentence; `publishes` says that the call would have shown
    something; `wait` is what it asks to wait, in seconds."""

    status: int
    named: bool = False
    code: int = 0
    subcode: int = 0
    detail: str = field(default="", repr=False)
    is_transient: bool = False
    publishes: bool = False
    wait: float | None = None

    @classmethod
    def of(cls, status: int, body: Any, *, publishes: bool = False, retry_after: str | None = None) -> Refusal:
        """Reads an answer's body, whatever it is."""
        wait = _requested_wait(retry_after)
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return cls(status, publishes=publishes, wait=wait)
        return cls(
            status,
            named=True,
            code=number(error.get("code")),
            subcode=number(error.get("error_subcode")),
            detail=detail_of(error),
            is_transient=error.get("is_transient") is True,
            publishes=publishes,
            wait=wait,
        )

    def transient(self, code: str) -> ChannelError:
        """A failure of the platform's own: unknown where something would have been shown, else a reason to wait."""
        if self.publishes:
            return OutcomeUnknown(code, self.detail)
        return RetryLater(self.wait or TRANSIENT_WAIT, code, detail=self.detail)


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What codes and subcodes mean; a subcode is asked first. `waits` are seconds by reason, where the platform asks
    for none."""

    codes: Mapping[int, Entry]
    subcodes: Mapping[int, Entry] = field(default_factory=dict)
    waits: Mapping[str, float] = field(default_factory=dict)

    def with_entries(
        self,
        codes: Mapping[int, Entry] | None = None,
        subcodes: Mapping[int, Entry] | None = None,
        waits: Mapping[str, float] | None = None,
    ) -> ErrorTable:
        """The same table with further entries, which win."""
        return replace(
            self,
            codes={**self.codes, **(codes or {})},
            subcodes={**self.subcodes, **(subcodes or {})},
            waits={**self.waits, **(waits or {})},
        )

    def read(self, refusal: Refusal) -> ChannelError:
        """The error that a refusal stands for."""
        if not refusal.named:
            return refusal.transient("platform_failed") if refusal.status >= 500 else Rejected(f"http_{refusal.status}")
        entry = self.subcodes.get(refusal.subcode) or self.codes.get(refusal.code)
        if entry is None and 200 <= refusal.code < 300:
            entry = ("rejected", "permission_missing")
        if entry is None and (refusal.status >= 500 or refusal.is_transient):
            entry = ("transient", "platform_failed")
        if entry is None:
            return Rejected("refused", refusal.detail)
        kind, reason = entry
        if kind == "later":
            wait = refusal.wait or self.waits.get(reason, RATE_WAIT)
            return RetryLater(wait, reason, detail=refusal.detail)
        if kind == "disabled":
            return SenderDisabled(reason, refusal.detail)
        if kind == "transient":
            return refusal.transient(reason)
        return Rejected(reason, refusal.detail)


PLATFORM: Final = ErrorTable(
    codes={
        1: ("transient", "platform_failed"),
        2: ("transient", "platform_failed"),
        4: ("later", "rate_limited"),
        17: ("later", "rate_limited"),
        32: ("later", "rate_limited"),
        341: ("later", "rate_limited"),
        368: ("later", "temporarily_blocked"),
        613: ("later", "rate_limited"),
        10: ("rejected", "permission_missing"),
        100: ("rejected", "refused"),
        102: ("disabled", "token_refused"),
        190: ("disabled", "token_refused"),
    },
    subcodes={463: ("disabled", "token_expired"), 467: ("disabled", "token_expired")},
)
"""What every platform of Meta shares."""


def number(value: Any) -> int:
    """A code; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def detail_of(error: Mapping[str, Any]) -> str:
    """The platform's own words for a person, bounded."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    message = error.get("error_user_msg") or details or error.get("message") or error.get("title")
    return storable(message)[:_MAX_DETAIL] if isinstance(message, str) else ""


def _requested_wait(retry_after: str | None) -> float | None:
    seconds = retry_after_of(retry_after, now=clock.now(), most=_MAX_WAIT)
    return max(seconds, 1.0) if seconds else None
