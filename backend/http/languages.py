"""The language in which a caller of the API reads what is written for people."""

from __future__ import annotations

from flask import request

from backend.core import i18n


def wanted() -> str:
    """The offered locale that the request's Accept-Language likes best; the default one where it says nothing."""
    return i18n.negotiate(request.accept_languages.best_match(list(i18n.LOCALES)))
