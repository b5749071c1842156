"""Scheduled messages as they are planned and read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from backend.http.schemas.alerts import AlertFields, AlertLink
from backend.http.schemas.base import Id, Input, Instant, Output

MAX_MESSAGE = 20_000
Kind = Literal["cron", "interval", "once"]


def _left_out(schema: dict[str, Any]) -> None:
    """A field that stays as it is when left out: the value it has in Python then is nobody's business."""
    schema.pop("default", None)


def _listed(value: Any) -> Any:
    """Chats also as text with commas, and as numbers."""
    if isinstance(value, str):
        value = [part for part in (piece.strip() for piece in value.split(",")) if part]
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


ChatId = Annotated[str, StringConstraints(min_length=1, max_length=80)]
ChatIds = Annotated[list[ChatId] | None, BeforeValidator(_listed)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE, pattern=r"\S")]
BotName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Cron = Annotated[str, StringConstraints(min_length=1, max_length=200)]

_BOT = "Its name; null means the default bot"
_CHATS = "Left out or null: the bot's own chats"
_CRON = "Five fields, in local time, for kind cron"
_INTERVAL = "For kind interval; at least 10"
_ALERT = "As in `POST /api/alerts`; without `bot_name` the bot named alerts"
_OTHER = "Takes the place of what was planned"
_RUN_AT = "The moment of kind once; where kind interval begins. Without an offset it is local in `timezone`"


class ScheduledFileIn(Input):
    """A picture or document: an address that is fetched again each time, or an uploaded file."""

    url: str | None = Field(
        default=None,
        max_length=2048,
        description="A public http(s) address",
        examples=["https://example.com/chart.png"],
    )
    file_id: Id | None = Field(default=None, description="The id of an uploaded file", examples=[None])
    caption: str | None = Field(default=None, max_length=MAX_MESSAGE, examples=["This week's figures"])


class ScheduledMessageIn(Input):
    """A message to plan: one of `message`, `alert`, `photo` and `document`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "bot_name": "news",
                    "chat_ids": ["-1001234567890"],
                    "message": "Good morning!",
                    "kind": "cron",
                    "cron": "0 9 * * 1-5",
                    "timezone": "Asia/Seoul",
                }
            ]
        }
    )

    bot_name: BotName | None = Field(default=None, description=_BOT, examples=["alerts"])
    chat_ids: ChatIds = Field(default=None, max_length=100, description=_CHATS, examples=[["-1001234567890"]])
    message: Text | None = Field(default=None, examples=["Good morning!"])
    alert: AlertFields | None = Field(default=None, description=_ALERT, examples=[None])
    photo: ScheduledFileIn | None = Field(default=None, examples=[None])
    document: ScheduledFileIn | None = Field(default=None, examples=[None])
    kind: Kind
    cron: Cron | None = Field(default=None, description=_CRON, examples=["0 9 * * 1-5"])
    interval_seconds: StrictInt | None = Field(default=None, description=_INTERVAL, examples=[3600])
    run_at: datetime | None = Field(default=None, description=_RUN_AT, examples=["2026-12-24T18:00:00Z"])
    timezone: Zone = Field(default="UTC", examples=["Asia/Seoul"])
    enabled: StrictBool = True


class ScheduledMessageChange(Input):
    """The fields to change; what is left out stays."""

    bot_name: BotName | None = Field(default=None, description=_BOT, examples=["alerts"], json_schema_extra=_left_out)
    chat_ids: ChatIds = Field(
        default=None, max_length=100, description=_CHATS, examples=[["-1001234567890"]], json_schema_extra=_left_out
    )
    message: Text | None = Field(default=None, description=_OTHER, examples=["Good morning!"])
    alert: AlertFields | None = Field(default=None, description=_OTHER, examples=[None])
    photo: ScheduledFileIn | None = Field(default=None, description=_OTHER, examples=[None])
    document: ScheduledFileIn | None = Field(default=None, description=_OTHER, examples=[None])
    kind: Kind = Field(default="cron", json_schema_extra=_left_out)
    cron: Cron | None = Field(default=None, description=_CRON, examples=["0 9 * * 1-5"], json_schema_extra=_left_out)
    interval_seconds: StrictInt | None = Field(
        default=None, description=_INTERVAL, examples=[3600], json_schema_extra=_left_out
    )
    run_at: datetime | None = Field(
        default=None, description=_RUN_AT, examples=["2026-12-24T18:00:00Z"], json_schema_extra=_left_out
    )
    timezone: Zone = Field(default="UTC", examples=["Asia/Seoul"], json_schema_extra=_left_out)
    enabled: StrictBool = Field(default=True, json_schema_extra=_left_out)


class ScheduledFileOut(Output):
    """A picture or document that is planned."""

    url: str | None = None
    file_id: int | None = None
    caption: str | None = None


class AlertFileOut(Output):
    """An alert's picture or document."""

    url: str | None = None
    file_id: int | None = None


class ScheduledAlertOut(Output):
    """An alert that is planned."""

    title: str = ""
    message: str = ""
    severity: str = "warning"
    throttle_key: str | None = None
    labels: dict[str, str] = Field(default_factory=dict, examples=[{"service": "payments"}])
    template: str | None = None
    vars: dict[str, Any] = Field(default_factory=dict)
    buttons: list[AlertLink] = Field(default_factory=list)
    photo: AlertFileOut | None = None
    document: AlertFileOut | None = None
    status: str = Field(default="firing", examples=["firing"])


class ScheduledMessageOut(Output):
    """A planned message."""

    id: int
    bot_name: str | None
    chat_ids: list[str] | None = Field(description="null: the bot's own chats")
    message: str | None = Field(description="The text; null for an alert or a file", examples=["Good morning!"])
    alert: ScheduledAlertOut | None
    photo: ScheduledFileOut | None
    document: ScheduledFileOut | None
    kind: str = Field(description="cron, interval or once", examples=["cron"])
    cron: str | None
    interval_seconds: int | None
    run_at: Instant | None
    timezone: str
    enabled: bool
    next_run_at: Instant | None = Field(description="null while it is switched off, and once it is over")
    last_run_at: Instant | None
    created_at: Instant
    updated_at: Instant


class ScheduledMessages(Output):
    """A page of planned messages, newest first."""

    scheduled_messages: list[ScheduledMessageOut]
    next_cursor: str | None


class SaidOut(Output):
    """One of the messages; `GET /api/messages/<id>` has more of it."""

    id: int
    conversation_id: int
    state: str = Field(description="queued, sent, delivered, read, failed, canceled or unknown", examples=["sent"])
    reason: str | None = Field(description="Why it is not sent yet, or never was")
    reason_text: str | None = Field(
        description="The reason in words, in the language of Accept-Language", examples=[None]
    )


class RunOut(Output):
    """One time that it was due."""

    id: int
    due_at: Instant
    missed_since: Instant | None = Field(
        description="The first of the times missed while nothing ran, which this one makes up for"
    )
    state: str = Field(description="waiting, done, failed or skipped", examples=["done"])
    reason: str | None = Field(description="Why it failed or was skipped", examples=["bot_not_found"])
    triggered_by: str | None = Field(description="Who asked for it; null for one that was due")
    started_at: Instant
    finished_at: Instant | None
    messages: list[SaidOut]
    alert_id: int | None = Field(description="The alert that was raised or repeated")
    decision: str | None = Field(description="What became of the alert, as `POST /api/alerts` answers")


class Runs(Output):
    """A page of the history, newest first."""

    runs: list[RunOut]
    next_cursor: str | None
