"""The forms of a bot: what their fields are called, and what was typed as the API takes it."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import request

from backend.http.console.kit import form_errors, forms

FORM: Final = form_errors.Form(
    "bot",
    labels={
        "name": "console_bots.name",
        "token": "console_bots.token",
        "chat_ids": "console_bots.chats",
        "message_thread_id": "console_bots.topic",
    },
    by_code={"bot_exists": "name", "token_refused": "token", "token_in_use": "token", "another_bot": "token"},
)
TEST_FORM: Final = form_errors.Form(
    "bot_test",
    labels={
        "message": "console_bots.test.message",
        "chat_id": "console_bots.test.chat",
        "message_thread_id": "console_bots.topic",
    },
    field_of=lambda path: "chat_id" if path.startswith("chat_ids") else form_errors.first_part(path),
)


def fields(*names: str) -> dict[str, Any]:
    """The form of a bot as the API takes it: chats by lines or commas, no topic where none was typed."""
    given: dict[str, Any] = dict(forms.values(*names, "chat_ids", "message_thread_id"))
    given["chat_ids"] = [part.strip() for part in re.split(r"[,\n]", given.get("chat_ids", "")) if part.strip()]
    given.setdefault("message_thread_id", None)
    given["is_active"] = "is_active" in request.form
    return given
