"""Meta's own applications, by which a person answers outside of this product."""

from __future__ import annotations

from typing import Final

PAGE_INBOX: Final = "263902037430900"
INSTAGRAM_INBOX: Final = "1217981644879628"
INBOXES: Final = frozenset({PAGE_INBOX, INSTAGRAM_INBOX})
"""Whoever answers there is a person, and no program."""
