"""What refusals of Messenger and Instagram mean: a pure function with one table, by `error.code` and, where a code
means several things, by `error.error_subcode`.

Sources: "Error codes" of the Messenger Platform and of the Instagram Platform.
"""

from __future__ import annotations

import re
from typing import Final

from backend.channels.errors import ChannelError, OutcomeUnknown, RecipientUnreachable, Rejected, RetryLater
from backend.channels.graph.errors import PLATFORM, ErrorTable, Refusal

RATE_WAIT: Final = 60.0
GATEWAY_WAIT: Final = 60.0
WINDOW_CLOSED: Final = "window_closed"
NOT_IN_CHARGE: Final = "not_in_charge"

_TOO_LONG: Final = re.compile(r"length of param|too long|max(imum)? length", re.IGNORECASE)
_UNREACHABLE: Final = {
    551: "unavailable",
    2018001: "unavailable",  # no matching person
    2018218: "unavailable",
    2534014: "unavailable",  # Instagram: the person does not take messages from the account
    1545041: "unavailable",
}
_TABLE: Final[ErrorTable] = PLATFORM.with_entries(
    codes={
        2: ("later", "platform_failed"),  # "Temporary send message failure": nothing was sent
        1200: ("later", "platform_failed"),
        613: ("later", "rate_limited"),
        2018300: ("rejected", NOT_IN_CHARGE),
    },
    subcodes={
        2018278: ("rejected", WINDOW_CLOSED),
        2534022: ("rejected", WINDOW_CLOSED),
        2018065: ("rejected", WINDOW_CLOSED),
        2018300: ("rejected", NOT_IN_CHARGE),
        2018108: ("rejected", "development_mode"),
        1893063: ("disabled", "account_restricted"),
        2018338: ("later", "rate_limited"),
        2018344: ("rejected", "refused"),
        2018034: ("rejected", "text_too_long"),
        2018047: ("rejected", "media_refused"),
        2018008: ("rejected", "media_refused"),
        2018294: ("rejected", "media_refused"),
    },
    waits={"rate_limited": RATE_WAIT, "platform_failed": 30.0},
)


def read(refusal: Refusal) -> ChannelError:
    """The error that a refusal stands for."""
    if refusal.status == 429 and not refusal.named:
        return RetryLater(refusal.wait or RATE_WAIT, "rate_limited")
    if not refusal.named and refusal.status < 300:
        return OutcomeUnknown("unreadable_answer")
    if not refusal.named and refusal.status >= 500:
        return OutcomeUnknown("server_error")
    if 300 <= refusal.status < 400:
        return RetryLater(GATEWAY_WAIT, "gateway_refused")
    if refusal.code == 10 and refusal.subcode == 1545041:
        return Rejected(WINDOW_CLOSED, refusal.detail)
    reason = _UNREACHABLE.get(refusal.subcode) or _UNREACHABLE.get(refusal.code)
    if reason is not None:
        # Whoever blocked a page may unblock it; what they write then makes them reachable again.
        return RecipientUnreachable(reason, disables_link=False, detail=refusal.detail)
    if refusal.code == 100 and _TOO_LONG.search(refusal.detail):
        return Rejected("text_too_long", refusal.detail)
    if refusal.named and 200 <= refusal.code < 300 and "advanced access" in refusal.detail.lower():
        return Rejected("advanced_access_missing", refusal.detail)
    return _TABLE.read(refusal)
