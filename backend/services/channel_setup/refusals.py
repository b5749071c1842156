"""What Meta, or the way there, answers in place of success, as the product's own errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from backend.channels.errors import ChannelError, RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.core import i18n
from backend.core.errors import Invalid, TooManyRequests, Unavailable
from backend.services.channel_setup.asking import NO_OBJECT

_RATES = frozenset({"rate_limited", "registered_too_often"})


@contextmanager
def clear_errors() -> Iterator[None]:
    """Raises Invalid (the platform's reason), TooManyRequests, or Unavailable(`meta_unavailable`), with the seconds
    after which it may be tried again. No error holds a token."""
    try:
        yield
    except SenderDisabled as error:
        raise Invalid.of("access_token", error.code, error.detail or reason_text(error.code, "en")) from None
    except (Rejected, RecipientUnreachable) as error:
        if error.code == NO_OBJECT:
            raise Invalid.of("waba_id", NO_OBJECT, reason_text(NO_OBJECT, "en")) from None
        raise Invalid(error.code, error.detail or reason_text(error.code, "en")) from None
    except ChannelError as error:
        seconds = max(1, math.ceil(error.seconds)) if isinstance(error, RetryLater) else 5
        if error.code in _RATES:
            raise TooManyRequests(error.code, reason_text(error.code, "en"), retry_after=seconds) from None
        raise Unavailable(
            "meta_unavailable",
            "Meta cannot be asked at the moment; try again.",
            detail={"reason": error.code},
            retry_after=seconds,
        ) from None


def reason_text(code: str, locale: str) -> str:
    """Why something could not be done, in words; a code without words of its own says that the platform refused."""
    name = f"channel_setup.reason.{code}"
    return i18n.text(name if name in i18n.catalog(locale) else "channel_setup.reason.refused", locale)
