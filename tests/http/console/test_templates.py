"""Templates are laid out to be read: no line beyond 160 characters, in those that have been laid out so far."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backend.http import console

FOLDER: Final = Path(console.__file__).parent / "templates/console"
MAX_LINE: Final = 160
LONG_STILL: Final = {
    "alert_acts.html",
    "alert_matchers.html",
    "alert_policy.html",
    "alert_preview.html",
    "alert_setup.html",
    "alert_silence.html",
    "alert_silence_form.html",
    "alert_silences.html",
    "alert_tabs.html",
    "alerts.html",
    "alerts_list.html",
    "bots.html",
    "bots_chats.html",
    "bots_form.html",
    "bots_meaning.html",
    "bots_parts.html",
    "bots_show.html",
    "bots_webhook.html",
    "error.html",
    "notifications.html",
    "notifications_log.html",
    "notifications_people.html",
    "notifications_preview.html",
    "notifications_tabs.html",
    "notifications_trace.html",
    "notifications_type.html",
    "notifications_types.html",
    "overview.html",
    "overview_parts.html",
    "palette.html",
    "reset.html",
    "scheduler.html",
    "scheduler_job.html",
    "scheduler_parts.html",
    "scheduler_preview.html",
    "scheduler_timing.html",
    "shell.html",
    "sign_in.html",
    "telegram.html",
    "telegram_checks.html",
    "ui.html",
}
"""To become fewer. A template that is changed is laid out, and leaves this list."""


def test_no_further_template_has_lines_too_long_to_read() -> None:
    too_long = {
        path.name
        for path in FOLDER.glob("*.html")
        if any(len(line) > MAX_LINE for line in path.read_text(encoding="utf-8").splitlines())
    }
    assert too_long == LONG_STILL
