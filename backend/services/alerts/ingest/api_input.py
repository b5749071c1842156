"""Raising an alert: what a caller gives becomes a report, checked as a whole before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.channels import richtext
from backend.core.database import db
from backend.core.errors import AppError, Conflict, Invalid, field_error
from backend.models import Alert
from backend.services.alerts import severities
from backend.services.alerts.ingest import fast_count, grouping
from backend.services.alerts.ingest.reports import Group, Outcome, Report
from backend.services.alerts.state import keys
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.bots import resolution
from backend.services.notifications import Attachment
from backend.services.notifications import attaching as attachments
from backend.services.texts import values

BOT: Final = "alerts"
"""The name that alerts go by unless their caller names another."""
MAX_TITLE: Final = 500
MAX_BODY: Final = 60_000
MAX_KEY: Final = 500
MAX_LABELS: Final = 64
MAX_VALUE: Final = 1_000
MAX_BUTTONS: Final = 6
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,99}")


@dataclass(frozen=True, slots=True)
class AlertInput:
    """An alert as its caller gives it. `message` is neutral rich text, perhaps of a template (`templates.compose`).

    `bot_name` None is the bot for alerts; naming one makes a bot that is not there an error of the caller's.
    """

    title: str = ""
    message: str = ""
    severity: str = "warning"
    bot_name: str | None = None
    chat_ids: Sequence[str] = ()
    throttle_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    buttons: Sequence[Mapping[str, str]] = ()
    attachment: Attachment | None = None
    status: Literal["firing", "resolved"] = "firing"
    source: str = "api"

    @property
    def bot(self) -> str:
        """The name of the bot that it goes to."""
        return (self.bot_name or BOT).strip()

    @property
    def names_target(self) -> bool:
        """Whether the caller said where it goes, so that a target that is not there is the caller's error."""
        return self.bot_name is not None or bool(self.chat_ids)


def raise_input(given: AlertInput, by: Attribution) -> Outcome:
    """Takes one alert, in the workspace's scope and the caller's transaction.

    Raises Invalid for values, NotFound (`bot_not_found`, `file_not_found`), TooLarge for a file; nothing is stored
    then. A bot that is switched off, or a default bot without chats, is no error: the alert goes to the admins.
    """
    report = _checked(given)
    if report.firing and given.attachment is None:
        counted = fast_count.count(report)
        if counted is not None:
            return counted
    if report.firing and given.names_target:
        require_bot(given.bot, given.chat_ids)
    attachment, _ = attachments.prepare(given.attachment)
    links = [{"text": button["text"], "url": button["url"]} for button in given.buttons]
    if attachment is not None and "url" in attachment:
        attachment = {"kind": attachment["kind"], "url": attachment["url"], "state": "given"}
        links.append({"text": "📎", "url": attachment["url"]})
    group = Group(
        source=given.source,
        bot_name=given.bot,
        reports=[report],
        links=links,
        chat_ids=tuple(given.chat_ids),
        attachment=attachment,
    )
    return grouping.report(group, by)


def check(given: AlertInput) -> None:
    """Raises what `raise_input` would raise for this alert now; stores nothing."""
    report = _checked(given)
    if report.firing and given.names_target:
        require_bot(given.bot, given.chat_ids)
    attachments.prepare(given.attachment)


def _checked(given: AlertInput) -> Report:
    """The alert as a report. Raises Invalid."""
    title, message = _words(given)
    faults = _faults(given, title, message)
    severity = severities.parse(given.severity)
    if severity is None:
        problem = "One of critical, error, warning, info and debug."
        faults.append(field_error("severity", "bad_severity", problem))
    if faults or severity is None:
        raise Invalid.of_fields(faults)
    if given.throttle_key is not None:
        key = keys.given(given.bot, given.throttle_key)
    else:
        key = keys.derived(given.bot, severity, title, message)
    return Report(key, severity, title, message, dict(given.labels), [], given.status == "firing")


def _words(given: AlertInput) -> tuple[str, str]:
    """Title and text. A title that is not given is the text's first line."""
    title, message = _label(given.title), _visible_text(given.message)
    if not title and message:
        lines = message.strip().split("\n")
        place = next((at for at, line in enumerate(lines) if _visible_text(line)), 0)
        title = richtext.shorten(richtext.visible(richtext.read(lines[place])).strip(), 200)
        # Short enough to stand as the title alone; a longer line is also kept whole.
        if richtext.utf16_length(lines[place]) <= 200:
            message = _visible_text("\n".join(lines[place + 1 :]).strip())
    return title, message


def _label(text: str) -> str:
    """Plain text on one line, or nothing where nobody would see it."""
    return " ".join(text.split()) if richtext.has_visible(text) else ""


def _visible_text(text: str) -> str:
    """Rich text, or nothing where nobody would see it."""
    return text if richtext.has_visible(richtext.visible(richtext.read(text))) else ""


def _faults(given: AlertInput, title: str, message: str) -> list[dict[str, Any]]:
    faults = []
    if not title:
        faults.append(field_error("title", "title_missing", "An alert needs a title, a message or a template."))
    if richtext.utf16_length(title) > MAX_TITLE:
        faults.append(field_error("title", "title_too_long", f"A title has at most {MAX_TITLE} characters."))
    if richtext.utf16_length(message) > MAX_BODY:
        faults.append(field_error("message", "message_too_long", f"A message has at most {MAX_BODY:,} characters."))
    if given.throttle_key is not None and not 0 < len(given.throttle_key) <= MAX_KEY:
        faults.append(field_error("throttle_key", "bad_throttle_key", f"1 to {MAX_KEY} characters."))
    if len(given.labels) > MAX_LABELS:
        faults.append(field_error("labels", "too_many_labels", f"At most {MAX_LABELS} labels."))
    for name, value in list(given.labels.items())[:MAX_LABELS]:
        if not _LABEL.fullmatch(name) or len(value) > MAX_VALUE:
            message = f"A label's name is 1 to 100 letters, digits and ._:/-, its value at most {MAX_VALUE} characters."
            faults.append(field_error(f"labels.{name[:100]}", "bad_label", message))
    if len(given.buttons) > MAX_BUTTONS:
        faults.append(field_error("buttons", "too_many_buttons", f"At most {MAX_BUTTONS} buttons."))
    for index, button in enumerate(given.buttons[:MAX_BUTTONS]):
        if values.http_url(button["url"]) is None:
            faults.append(field_error(f"buttons.{index}.url", "link_not_http", "An http(s) address."))
        if not richtext.has_visible(button["text"]) or len(button["text"].strip()) > 64:
            faults.append(field_error(f"buttons.{index}.text", "label_too_long", "1 to 64 characters."))
    return faults


def require_bot(bot_name: str, chat_ids: Sequence[str]) -> None:
    """Raises what the caller has to mend: a bot or chats that are not there. One that is switched off is stored for."""
    try:
        resolution.resolve(bot_name=bot_name, chat_ids=chat_ids)
    except Conflict:
        return
    except AppError as error:
        if bot_name.lower() == BOT and not chat_ids:
            return
        raise error


def raise_alert(
    title: str,
    message: str = "",
    *,
    severity: str = "warning",
    key: str | None = None,
    labels: Mapping[str, str] | None = None,
    bot_name: str = BOT,
    resolved: bool = False,
) -> Alert | None:
    """Raises (or ends) an alert of the product's own, in the workspace's scope and the caller's transaction.

    Never fails for want of a bot: the admins get it then. `message` is neutral rich text; escape what it quotes. None
    where it only said that something is over that was not open.
    """
    given = AlertInput(
        title=title,
        message=message,
        severity=severity,
        bot_name=bot_name,
        throttle_key=key,
        labels=labels or {},
        status="resolved" if resolved else "firing",
        source="system",
    )
    title, message = _words(given)
    own_key = keys.given(bot_name, key) if key else keys.derived(bot_name, severity, title, message)
    report = Report(own_key, severity, title, message, dict(given.labels), [], not resolved)
    outcome = grouping.report(Group("system", bot_name, [report]), SYSTEM)
    return db.session.get(Alert, outcome.alert_id) if outcome.alert_id is not None else None
