"""Why a message waits or was not sent, in words for people."""

from __future__ import annotations

from functools import lru_cache

from backend.core import i18n
from backend.services.delivery.gate import Verdict
from backend.services.delivery.status import MessageStatus


def explain(status: MessageStatus, locale: str) -> str | None:
    """What a person reads of the status's reason; None where there is none."""
    return explain_code(status.reason, locale, waits=status.state == "queued", verdict=status.verdict)


@lru_cache(maxsize=500)
def explain_code(code: str | None, locale: str, *, waits: bool, verdict: Verdict | None = None) -> str | None:
    """What a person reads of a reason's code. One that has no words of its own, as another program's, is named."""
    if code is None:
        return None
    if verdict is not None and verdict.code == code:
        return verdict.explain(locale)
    own = f"delivery.reason.{code}"
    if own in i18n.catalog(i18n.DEFAULT):
        return i18n.text(own, locale)
    return i18n.text("delivery.reason.other_waiting" if waits else "delivery.reason.other_ended", locale, code=code)
