"""Contents of scheduled messages: exactly one of a text, an alert, a picture or a document.

What is wrong with it is said when it is planned; each time it is due, alerts and files are checked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from backend.channels import richtext
from backend.core.errors import Invalid
from backend.models import ScheduledMessage
from backend.services import alerts
from backend.services.alerts.ingest import api_input
from backend.services.notifications import Attachment, attaching

Kind = Literal["message", "alert", "photo", "document"]
KINDS: Final[tuple[Kind, ...]] = ("message", "alert", "photo", "document")
SOURCE: Final = "schedule"
"""What alerts that were planned give as their source."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One content: a text, or the fields of an alert or a file as they were given."""

    kind: Kind
    value: Any

    @property
    def attachment(self) -> Attachment | None:
        """The file, for a picture or a document."""
        if self.kind not in ("photo", "document"):
            return None
        return Attachment(self.kind, self.value.get("url"), self.value.get("file_id"))

    @property
    def caption(self) -> str:
        """The words under a file."""
        return str(self.value.get("caption") or "")


def given(fields: Mapping[str, Any]) -> Planned | None:
    """The content among some fields; None where there is none. Raises Invalid where there are several."""
    contents = [Planned(kind, fields[kind]) for kind in KINDS if fields.get(kind) is not None]
    if len(contents) > 1:
        text = f"It is one of {', '.join(KINDS)}, and not several."
        raise Invalid.of(contents[1].kind, "content_ambiguous", text)
    return contents[0] if contents else None


def required(fields: Mapping[str, Any]) -> Planned:
    """The content among some fields. Raises Invalid where there is none, or several."""
    contents = given(fields)
    if contents is None:
        raise Invalid.of("message", "content_missing", f"It needs one of {', '.join(KINDS)}.")
    return contents


def put(message: ScheduledMessage, planned: Planned) -> None:
    """Writes a content into the row, in place of the one before."""
    if planned.kind == "message":
        message.message, message.content = planned.value, None
        return
    value = {name: field for name, field in planned.value.items() if field not in (None, "", [], {})}
    message.content = {planned.kind: value}
    if planned.kind == "alert":
        candidates = [value.get("title"), value.get("message"), value.get("template")]
    else:
        candidates = [value.get("caption"), value.get("url"), f"#{value.get('file_id')}"]
    message.message = next(str(field) for field in (*candidates, planned.kind) if field)


def of(message: ScheduledMessage) -> Planned:
    """The content of a row."""
    if message.content is None:
        return Planned("message", message.message)
    kind = next(iter(message.content))
    return Planned(cast(Kind, kind), message.content[kind])


def check(message: ScheduledMessage, chat_ids: list[str] | None) -> None:
    """Raises what sending the alert or the file would be refused for; stores nothing.

    Invalid, NotFound (`bot_not_found`, `file_not_found`) and TooLarge; their details name the plan's own fields.
    """
    planned = of(message)
    if planned.kind == "message":
        if not richtext.has_visible(planned.value):
            raise Invalid.of("message", "text_empty", "A message says something.")
        return
    try:
        if planned.kind == "alert":
            api_input.check(alert_of(message, chat_ids))
        else:
            attaching.prepare(planned.attachment)
    except Invalid as error:
        raise _renamed(error, planned) from None


def alert_of(message: ScheduledMessage, chat_ids: list[str] | None) -> alerts.AlertInput:
    """The alert that a row plans. Raises Invalid for one with a photo and a document."""
    value = of(message).value
    photo, document = value.get("photo"), value.get("document")
    if photo and document:
        raise Invalid("attachment_ambiguous", "An alert carries a photo or a document, not both.")
    file = photo or document
    labels = value.get("labels", {})
    values = {**labels, **value.get("vars", {})}
    title, text = alerts.compose(value.get("title", ""), value.get("message", ""), value.get("template"), values)
    return alerts.AlertInput(
        title=title,
        message=text,
        severity=str(value.get("severity", "warning")).strip().lower(),
        bot_name=message.bot_name,
        chat_ids=chat_ids or (),
        throttle_key=value.get("throttle_key"),
        labels=labels,
        buttons=value.get("buttons", ()),
        attachment=Attachment("photo" if photo else "document", file.get("url"), file.get("file_id")) if file else None,
        status=value.get("status", "firing"),
        source=SOURCE,
    )


def _renamed(error: Invalid, planned: Planned) -> Invalid:
    """The error with the fields that the plan has: `photo.url` for `attachment.url`, `alert.title` for `title`."""
    if not error.field_errors():
        return error
    file, prefix = planned.kind, ""
    if planned.kind == "alert":
        file, prefix = "photo" if planned.value.get("photo") else "document", "alert."
    renamed = []
    for fault in error.field_errors():
        name = str(fault["field"])
        own = name.partition(".")[0] in ("bot_name", "chat_ids")
        renamed.append(fault | {"field": name if own else prefix + name.replace("attachment", file, 1)})
    return Invalid(error.code, error.message, detail=renamed)
