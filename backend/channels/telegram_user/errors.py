"""What a refusal of Telegram means: one of the five errors of channels, and a code.

Telethon names most refusals by a class; those that it does not know come as the base class of their number, so the
word of the refusal counts. 406 is called AuthKeyError there and is not about keys.
"""

from __future__ import annotations

import re
from typing import Any, Final

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)

_WAITS: Final = re.compile(r"(?:FLOOD_WAIT|FLOOD_PREMIUM_WAIT|SLOW_?MODE_WAIT|FLOOD_TEST_PHONE_WAIT)_(\d+)")
_STARS: Final = re.compile(r"ALLOW_PAYMENT_REQUIRED(?:_(\d+))?")

LOGGED_OUT: Final = {
    "AUTH_KEY_UNREGISTERED": "logged_out",
    "AUTH_KEY_INVALID": "logged_out",
    "SESSION_REVOKED": "session_revoked",
    "SESSION_EXPIRED": "session_expired",
    "AUTH_KEY_DUPLICATED": "auth_key_duplicated",
    "USER_DEACTIVATED": "account_deactivated",
    "USER_DEACTIVATED_BAN": "account_banned",
}
"""The session is over: somebody has to connect the account again."""
RESTRICTED: Final = {
    "PEER_FLOOD": "peer_flood",
    "USER_RESTRICTED": "user_restricted",
    "FROZEN_METHOD_INVALID": "frozen",
    "FROZEN_PARTICIPANT_MISSING": "frozen",
}
"""The account may not do this now. It is no fault of the session, and no reason to switch the account off."""
UNREACHABLE: Final = {
    "USER_PRIVACY_RESTRICTED": "privacy",
    "PRIVACY_PREMIUM_REQUIRED": "needs_premium",
    "USER_IS_BLOCKED": "blocked_by_person",
    "YOU_BLOCKED_USER": "you_blocked",
    "INPUT_USER_DEACTIVATED": "deactivated",
    "USER_DELETED": "deactivated",
    "CHAT_WRITE_FORBIDDEN": "not_writable",
    "CHAT_RESTRICTED": "not_writable",
    "PEER_ID_INVALID": "peer_invalid",
    "USER_ID_INVALID": "peer_invalid",
    "INPUT_USER_INVALID": "peer_invalid",
}
_IN_WORK: Final = "RANDOM_ID_DUPLICATE"
_IN_WORK_SECONDS: Final = 5.0
_MAX_WORD: Final = 100


def word_of(error: Any) -> str:
    """Telegram's word for the refusal: PEER_FLOOD, FLOOD_WAIT_30.

    Of a class that it knows the library keeps only an explanation: then the word is made of the class's name.
    """
    if not type(error).__module__.endswith("rpcerrorlist"):
        return str(getattr(error, "message", "") or "")[:_MAX_WORD]
    name = re.sub(r"Error$", "", type(error).__name__)
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    seconds = getattr(error, "seconds", None)
    return f"{word}_{seconds}" if seconds is not None else word


def seconds_of(error: Any) -> float | None:
    """How long a wait lasts; None for what is none."""
    match = _WAITS.fullmatch(word_of(error))
    return None if match is None else max(1.0, float(match[1]))


def stars_of(error: Any) -> int | None:
    """How many stars the person asks for; 0 where the refusal does not tell; None for another refusal."""
    match = _STARS.fullmatch(word_of(error))
    return None if match is None else int(match[1] or 0)


def logged_out_code(error: Any) -> str | None:
    """Why the session is over; None for a refusal of something else."""
    return LOGGED_OUT.get(word_of(error))


def channel_error(error: Any) -> ChannelError:
    """The channel's error for a refusal of an operation. `detail` is Telegram's own word, never an explanation."""
    word = word_of(error)
    if (seconds := seconds_of(error)) is not None:
        chat_only = word.startswith("SLOW")
        return RetryLater(seconds, "rate_limited", scope="chat" if chat_only else "sender", detail=word)
    if (code := LOGGED_OUT.get(word)) is not None:
        return SenderDisabled(code, word)
    if (code := RESTRICTED.get(word)) is not None:
        # The account goes on with what it may do: this one is refused, and the account's health says the rest.
        return Rejected(code, word)
    if stars_of(error) is not None:
        return RecipientUnreachable("costs_stars", disables_link=False, detail=word)
    if (code := UNREACHABLE.get(word)) is not None:
        return RecipientUnreachable(code, disables_link=False, detail=word)
    if word == _IN_WORK:
        # The same number is being carried out: nothing new is said, and looking tells later what became of it.
        return RetryLater(_IN_WORK_SECONDS, "server_busy", scope="chat", detail=word)
    number = abs(int(getattr(error, "code", 0) or 0))
    if number >= 500:
        return OutcomeUnknown("server_error", word)
    return Rejected("rejected", word)
