"""What a Graph API answer means: a pure function of status, `error.code` and `error.error_subcode`, with one table.

The HTTP status says little: rate errors may come as 403, so the code decides (Graph API, "Handling errors"; Instagram
Platform, "Error codes").
"""

from __future__ import annotations

from typing import Any, Final, Literal

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.richtext import storable
from backend.core import clock
from backend.core.egress.answers import retry_after as retry_after_of

_Class = Literal["later", "disabled", "rejected", "transient"]

RATE_WAIT: Final = 300.0
TRANSIENT_WAIT: Final = 30.0
MEDIA_WAIT: Final = 10.0
_MAX_WAIT: Final = 86_400.0

_SUBCODES: Final[dict[int, tuple[_Class, str]]] = {
    2207027: ("later", "media_processing"),  # the container is not ready to be published
    2207042: ("later", "quota_reached"),  # Instagram: posts in 24 hours
    2207050: ("disabled", "account_restricted"),
    2207051: ("rejected", "blocked_as_spam"),
    2207052: ("rejected", "media_not_fetched"),
    2207003: ("rejected", "media_not_fetched"),  # took too long to download
    2207004: ("rejected", "picture_too_large"),
    2207005: ("rejected", "picture_refused"),
    2207009: ("rejected", "picture_refused"),  # aspect ratio
    2207010: ("rejected", "text_too_long"),
    2207020: ("later", "container_expired"),
    2207008: ("later", "container_expired"),
    463: ("disabled", "token_expired"),
    467: ("disabled", "token_expired"),
}
_CODES: Final[dict[int, tuple[_Class, str]]] = {
    1: ("transient", "platform_failed"),
    2: ("transient", "platform_failed"),
    4: ("later", "rate_limited"),
    17: ("later", "rate_limited"),
    32: ("later", "rate_limited"),
    341: ("later", "rate_limited"),
    368: ("later", "temporarily_blocked"),
    613: ("later", "rate_limited"),
    80001: ("later", "rate_limited"),
    80002: ("later", "rate_limited"),
    10: ("rejected", "permission_missing"),
    100: ("rejected", "refused"),
    102: ("disabled", "token_refused"),
    190: ("disabled", "token_refused"),
    506: ("rejected", "duplicate_post"),
    1609005: ("rejected", "link_refused_by_platform"),
    9004: ("rejected", "media_not_fetched"),
    9007: ("later", "media_processing"),
    36003: ("rejected", "picture_refused"),
}


def from_answer(status: int, body: Any, *, publishes: bool, retry_after: str | None = None) -> ChannelError:
    """The error that a refusal stands for. `publishes`: the call would have shown something, so what the platform
    itself is unsure of is unknown."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        if status >= 500:
            return _transient("platform_failed", publishes, "")
        return Rejected(f"http_{status}")
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    detail = _detail(error)
    entry = _SUBCODES.get(subcode) or _CODES.get(code)
    if entry is None and 200 <= code < 300:
        entry = ("rejected", "permission_missing")
    if entry is None and (status >= 500 or error.get("is_transient") is True):
        entry = ("transient", "platform_failed")
    if entry is None:
        return Rejected("refused", detail)
    kind, reason = entry
    if kind == "later":
        wait = MEDIA_WAIT if reason in ("media_processing", "container_expired") else RATE_WAIT
        return RetryLater(_requested_wait(retry_after) or wait, reason, detail=detail)
    if kind == "disabled":
        return SenderDisabled(reason, detail)
    if kind == "transient":
        return _transient(reason, publishes, detail)
    return Rejected(reason, detail)


def _transient(code: str, publishes: bool, detail: str) -> ChannelError:
    return OutcomeUnknown(code, detail) if publishes else RetryLater(TRANSIENT_WAIT, code, detail=detail)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _detail(error: dict[str, Any]) -> str:
    """The platform's own words for a person, without what might be one of our addresses or ids."""
    message = error.get("error_user_msg") or error.get("message")
    return storable(message)[:300] if isinstance(message, str) else ""


def _requested_wait(retry_after: str | None) -> float | None:
    seconds = retry_after_of(retry_after, now=clock.now(), most=_MAX_WAIT)
    return max(seconds, 1.0) if seconds else None
