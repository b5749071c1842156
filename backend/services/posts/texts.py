"""Why a post is not published, in words for its person."""

from __future__ import annotations

from backend.core import i18n


def explain(state: str, code: str | None, detail: str | None, locale: str) -> str:
    """The reason in the person's language, followed by what the platform itself said of it."""
    name = "unknown" if state == "unknown" else code or "failed"
    key = f"posts.error.{name}"
    catalog = i18n.catalog(i18n.negotiate(locale))
    explanation = i18n.text(key if key in catalog else "posts.error.failed", locale)
    if key not in catalog and code:
        explanation = f"{explanation} ({code})"
    return f"{explanation} {detail}" if detail else explanation
