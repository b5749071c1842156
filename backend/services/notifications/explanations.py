"""Why an event waits or was not sent, in words for people."""

from __future__ import annotations

from backend.core import i18n
from backend.services import delivery


def explain(code: str, locale: str) -> str:
    """What a person reads of a decision's reason: its own words, or those that a message has for the code."""
    own = f"notifications.reason.{code}"
    if own in i18n.catalog(i18n.DEFAULT):
        return i18n.text(own, locale)
    return delivery.explain_code(code, locale, waits=True) or ""
