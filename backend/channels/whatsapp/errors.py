"""What WhatsApp's error codes mean (Cloud API, "Error codes"): one table, for refusals and for reports of failure.

A code decides, and neither the HTTP status nor a subcode. The same code may refuse a call or come later as a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.graph.errors import Refusal, detail_of, number

_Class = Literal["stop", "later", "person", "message"]

_THROUGHPUT_WAIT: Final = 2.0
_CALLS_WAIT: Final = 300.0
_TRANSIENT_WAIT: Final = 30.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0
_PAIR_GROWTH: Final = 4.0

_TABLE: Final[dict[int, tuple[_Class, str]]] = {
    # the operator must act
    190: ("stop", "token_refused"),
    3: ("stop", "permission_missing"),
    10: ("stop", "permission_missing"),
    131005: ("stop", "permission_missing"),
    368: ("stop", "account_restricted"),
    131031: ("stop", "account_restricted"),
    131042: ("stop", "payment_missing"),
    131044: ("stop", "payment_missing"),
    131037: ("stop", "name_not_approved"),
    131045: ("stop", "number_not_registered"),
    133010: ("stop", "number_not_registered"),
    # slow down
    4: ("later", "rate_limited"),
    80007: ("later", "rate_limited"),
    130429: ("later", "rate_limited"),
    131056: ("later", "pair_rate_limited"),
    131048: ("later", "spam_limited"),
    133016: ("later", "registration_limited"),
    131064: ("later", "daily_limit_reached"),
    1: ("later", "platform_failed"),
    2: ("later", "platform_failed"),
    131000: ("later", "platform_failed"),
    131016: ("later", "platform_failed"),
    131057: ("later", "platform_failed"),
    133004: ("later", "platform_failed"),
    # this person, now
    131047: ("person", "window_closed"),
    131026: ("person", "undeliverable"),
    131049: ("person", "ecosystem_limit"),
    130472: ("person", "experiment"),
    131050: ("person", "marketing_stopped"),
    131021: ("person", "own_number"),
    130497: ("person", "country_restricted"),
    131030: ("person", "not_a_test_number"),
    131062: ("person", "number_needed"),
    137000: ("person", "identity_changed"),
    # this message
    33: ("message", "refused"),
    100: ("message", "refused"),
    131008: ("message", "refused"),
    131009: ("message", "refused"),
    135000: ("message", "refused"),
    131051: ("message", "kind_unsupported"),
    131052: ("message", "media_not_fetched"),
    131053: ("message", "media_refused"),
    132001: ("message", "template_unknown"),
    132015: ("message", "template_paused"),
    132016: ("message", "template_disabled"),
}
_WAITS: Final[dict[int, float]] = {130429: _THROUGHPUT_WAIT, 4: _CALLS_WAIT, 80007: _CALLS_WAIT, 131056: 1.0}
_REASON_WAITS: Final[dict[str, float]] = {
    "platform_failed": _TRANSIENT_WAIT,
    "spam_limited": _HOUR,
    "registration_limited": _HOUR,
    "daily_limit_reached": _DAY,
}


def _entry(code: int) -> tuple[_Class, str]:
    if code in _TABLE:
        return _TABLE[code]
    if 200 <= code < 300:
        return "stop", "permission_missing"
    if 132000 <= code < 133000:
        return "message", "template_refused"
    if 133000 <= code < 133016:
        return "stop", "number_not_registered"
    return "message", "refused"


def word_of(code: Any) -> str:
    """The reason that a reported failure's code stands for."""
    return _entry(number(code))[1]


def detail_of_failure(failure: Mapping[str, Any]) -> str:
    """The platform's own sentence with its code, for a person; empty where there is none."""
    words, code = detail_of(failure), number(failure.get("code"))
    return f"{words} ({code})" if words and code else words or (str(code) if code else "")


def read(refusal: Refusal) -> ChannelError:
    """The error that a refused call stands for."""
    if not refusal.named or refusal.code == 0:
        return _without_code(refusal)
    detail = f"{refusal.detail} ({refusal.code})" if refusal.detail else str(refusal.code)
    kind, reason = _entry(refusal.code)
    if refusal.code == 190 and refusal.subcode in (463, 467):
        reason = "token_expired"
    if refusal.code not in _TABLE and refusal.is_transient:
        kind, reason = "later", "platform_failed"
    if kind == "stop":
        return SenderDisabled(reason, detail)
    if kind == "later":
        wait = refusal.wait or _WAITS.get(refusal.code) or _REASON_WAITS.get(reason, _CALLS_WAIT)
        if reason == "pair_rate_limited":
            return RetryLater(wait, reason, "chat", detail=detail, growth=_PAIR_GROWTH)
        return RetryLater(wait, reason, detail=detail)
    if kind == "person" and reason != "window_closed":
        # None of them says that the person is gone for good: the next message may arrive.
        return RecipientUnreachable(reason, disables_link=False, detail=detail)
    return Rejected(reason, detail)


def _without_code(refusal: Refusal) -> ChannelError:
    """What an answer without a code means: it may come from something in between."""
    if refusal.status == 429:
        return RetryLater(refusal.wait or _CALLS_WAIT, "rate_limited")
    if 300 <= refusal.status < 400:
        return RetryLater(60.0, "gateway_refused")
    if refusal.status >= 500:
        return OutcomeUnknown("server_error")
    if refusal.status < 300:
        return OutcomeUnknown("unreadable_answer")
    if refusal.named and refusal.status == 401:
        return SenderDisabled("token_refused", refusal.detail)  # code 0: "unable to authenticate"
    return Rejected("refused", refusal.detail or f"HTTP {refusal.status}")
