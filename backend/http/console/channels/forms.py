"""The forms of an integration: what their fields are called, and what was typed as the API takes it."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from backend.http.console.kit import form_errors, forms

IDS: Final = {"whatsapp": ("phone_number_id", "waba_id"), "messenger": ("page_id",), "instagram": ("instagram_id",)}
"""The fields of each platform that hold ids, the one that it needs first."""
_FIELDS: Final = ("name", "phone_number_id", "page_id", "instagram_id", "waba_id")
_SECRETS: Final = ("access_token", "app_secret", "verify_token")
FORM: Final = form_errors.Form(
    "integration",
    labels={name: f"console_channels.field.{name}" for name in (*_FIELDS, *_SECRETS)},
    by_code={"integration_exists": "name", "token_refused": "access_token"},
)
PIN_FORM: Final = form_errors.Form("integration_pin", labels={"pin": "console_channels.register.pin"})


def new(platform: str) -> dict[str, Any]:
    """The form of a new integration."""
    given: dict[str, Any] = {"platform": platform, **forms.values("name", *IDS[platform], *_SECRETS)}
    return given | ({"human_agent": True} if "human_agent" in request.form else {})


def changes(platform: str) -> dict[str, Any]:
    """What was typed into the form of one that is there: a secret that was left empty stays."""
    given: dict[str, Any] = {**forms.values("name", "waba_id", *_SECRETS), "is_active": "is_active" in request.form}
    return given if platform == "whatsapp" else given | {"human_agent": "human_agent" in request.form}


def typed() -> dict[str, str]:
    """What is shown again: everything but secrets."""
    return {name: value for name, value in request.form.items() if name not in _SECRETS}
