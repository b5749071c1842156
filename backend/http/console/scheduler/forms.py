"""The form of a scheduled message but for what it says (`contents`)."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import request

from backend.http.console.kit import form_errors, forms
from backend.http.console.scheduler import contents as content_form
from backend.services.scheduled_messages import Planned, sending
from backend.services.scheduling import timing

UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
TIMING: Final = ("kind", "cron", "every", "unit", "run_at", "timezone")
_RENAMED = {"interval_seconds": "every"}
FORM: Final = form_errors.Form(
    "scheduler",
    labels={
        name: f"console_scheduler.{name}"
        for name in ("content", "cron", "every", "kind", "severity", "timezone", "title", "url", "file_id")
    }
    | {
        "bot_name": "console_scheduler.bot",
        "chat_ids": "console_scheduler.chats",
        "message": "console_scheduler.text",
        "run_at": "console_scheduler.moment",
    },
    field_of=lambda path: _RENAMED.get(form_errors.first_part(path), form_errors.first_part(path)),
    by_code={"bot_not_found": "bot_name", "bot_inactive": "bot_name"},
)


def given() -> dict[str, Any]:
    """The form as the API takes it. An empty list of chats means the bot's own."""
    given: dict[str, Any] = dict(forms.values("chat_ids", *TIMING))
    given["bot_name"] = request.form.get("bot_name", "").strip() or None
    given["chat_ids"] = [part.strip() for part in re.split(r"[,\n]", given.get("chat_ids", "")) if part.strip()] or None
    given["enabled"] = "enabled" in request.form
    return timed(given)


def timed(given: dict[str, Any]) -> dict[str, Any]:
    """The interval in seconds, from a number and its unit; without the fields that the kind has no use for."""
    every, unit = given.pop("every", ""), given.pop("unit", "seconds")
    kind = given.get("kind")
    if kind != "cron":
        given.pop("cron", None)
    else:
        given.pop("run_at", None)
    if kind == "interval" and every:
        whole = every.isascii() and every.isdigit() and len(every) < 10
        given["interval_seconds"] = int(every) * UNITS.get(unit, 1) if whole else every
    return given


def typed(planned: Planned) -> dict[str, str]:
    """What the form shows of a message; its moment as the clocks of its zone show it."""
    schedule, message = planned.schedule, planned.message
    shown = {
        "bot_name": message.bot_name or "",
        "chat_ids": "\n".join(sending.chat_ids_of(message) or ()),
        "kind": schedule.kind,
        "cron": schedule.cron or "",
        "timezone": schedule.timezone,
    } | content_form.typed(message)
    if schedule.enabled:
        shown["enabled"] = "on"
    if schedule.run_at is not None:
        local = schedule.run_at.astimezone(timing.zone_of(schedule.timezone))
        shown["run_at"] = local.strftime("%Y-%m-%dT%H:%M:%S" if local.second else "%Y-%m-%dT%H:%M")
    if schedule.interval_seconds:
        unit = next(name for name in reversed(UNITS) if schedule.interval_seconds % UNITS[name] == 0)
        shown |= {"every": str(schedule.interval_seconds // UNITS[unit]), "unit": unit}
    return shown
