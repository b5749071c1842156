"""The forms of accounts: what their fields are called, and what was typed."""

from __future__ import annotations

import re
from typing import Final

from flask import request

from backend.core.errors import AppError, Invalid
from backend.http import bodies
from backend.http.console.kit import form_errors
from backend.services.accounts.connecting import Step

FORM: Final = form_errors.Form(
    "account",
    labels={
        "phone": "console_accounts.connect.phone",
        "code": "console_accounts.code.label",
        "password": "console_accounts.password.label",
        "to": "console_accounts.remove.to",
    },
    by_code={
        "phone_invalid": "phone",
        "phone_banned": "phone",
        "api_id_invalid": "api_id",
        "api_id_published": "api_id",
        "code_wrong": "code",
        "code_required": "code",
        "password_wrong": "password",
        "password_required": "password",
    },
)


def faults(error: AppError | None) -> dict[str, str]:
    """The messages of a refusal by field; none without one."""
    return form_errors.by_field(error, FORM) if error is not None else {}


def refusal_of(step: Step) -> AppError:
    """What stopped a login, as it stands in its row."""
    code = step.error_code or ("code_expired" if step.state == "expired" else "try_again")
    return Invalid(code, code)


def require_read() -> None:
    """Whoever connects an account says that they have read what it means. Raises Invalid."""
    if not request.form.get("read"):
        raise Invalid.of("read", "not_read", "Read this first.")


def seen() -> int:
    """The number of the login's last command when the page was shown; 0 where the form does not say it."""
    given = request.form.get("seen", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def secret(name: str) -> str:
    """A code or password as it was typed: blanks at its ends may belong to a password. Raises Invalid where it is
    missing."""
    bodies.check_pairs(request.form.items(multi=True))
    given = request.form.get(name, "")
    if not given.strip():
        raise Invalid.of(name, "missing", "This is needed.")
    return given


def digits_of(code: str) -> str:
    """A code without the blanks and hyphens that people put between its digits."""
    return re.sub(r"[\s-]", "", code)


def text_of(value: str | int | None) -> str | None:
    """An application's id as text."""
    return None if value is None else str(value)
