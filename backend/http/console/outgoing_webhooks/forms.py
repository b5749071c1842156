"""The forms of an endpoint and of a token, as the API takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import request

from backend.core import clock
from backend.http.console.kit import form_errors, forms

ENDPOINT: Final = form_errors.Form(
    "endpoint",
    labels={
        "name": "console_outgoing_webhooks.field.name",
        "url": "console_outgoing_webhooks.field.url",
        "events": "console_outgoing_webhooks.field.events",
    },
)
TOKEN: Final = form_errors.Form(
    "token",
    labels={
        "name": "console_outgoing_webhooks.field.name",
        "scopes": "console_outgoing_webhooks.field.scopes",
        "days": "console_outgoing_webhooks.field.days",
    },
    field_of=lambda path: "days" if path == "expires_at" else form_errors.first_part(path),
)
LIVES: Final = ("", "7", "30", "90", "365")
"""For how many days a token is good; empty: until it is revoked."""


def endpoint() -> dict[str, Any]:
    """A new endpoint."""
    return {**forms.values("name", "url", "kind"), "events": request.form.getlist("event")}


def token() -> dict[str, Any]:
    """A new token."""
    given: dict[str, Any] = {**forms.values("name"), "scopes": request.form.getlist("scope")}
    days = request.form.get("days", "")
    if days in LIVES[1:]:
        given["expires_at"] = clock.now() + timedelta(days=int(days))
    return given
