"""Alerts as they are raised, shown, and acted on."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from backend.http.schemas.base import Id, Input, Instant, Output, PageQuery

ChatId = Annotated[str, StringConstraints(pattern=r"^(-?[0-9]{1,19}|@[A-Za-z0-9_]{1,64})$", max_length=65)]
SEVERITIES: list[Any] = ["critical", "error", "warning", "info", "debug"]
SEVERITY = "One of the five in any case, or page, fatal, emergency; err, high; warn, minor; notice, ok, none"
LabelValue = Annotated[str, StringConstraints(max_length=1000)]
LabelFilter = Annotated[str, StringConstraints(pattern=r"^[^=]{1,200}=", max_length=4400)]
BotName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
State = Literal["open", "firing", "acknowledged", "snoozed", "resolved", "undelivered"]


class AlertFileIn(Input):
    """A picture or document: from a public http(s) address, or an uploaded file."""

    url: str | None = Field(default=None, max_length=2048, examples=["https://example.com/graph.png"])
    file_id: Id | None = Field(default=None, description="The id of an uploaded file")


def _as_file(value: object) -> object:
    """An address alone is a file as well."""
    return {"url": value} if isinstance(value, str) else value


FileOrAddress = Annotated[AlertFileIn, BeforeValidator(_as_file, json_schema_input_type=AlertFileIn | str)]


class AlertButtonIn(Input):
    """A button that opens an address."""

    text: str = Field(min_length=1, max_length=64, examples=["Runbook"])
    url: str = Field(min_length=1, max_length=2048, examples=["https://wiki.example.com/runbook"])


class AlertFields(Input):
    """What an alert says."""

    title: str = Field(default="", max_length=500, examples=["Payments queue older than 5 min"])
    message: str = Field(
        default="",
        max_length=60_000,
        description="May use <b>, <i>, <code>, <pre> and <a href>; broken markup is mended",
        examples=["Oldest item <b>11 min 40 s</b>"],
    )
    severity: str = Field(
        default="warning",
        max_length=32,
        description=SEVERITY,
        examples=["critical"],
        json_schema_extra={"enum": SEVERITIES},
    )
    throttle_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="What makes two alerts the same; by default bot, severity, title and message",
        examples=["payments-queue"],
    )
    labels: dict[str, LabelValue] = Field(default_factory=dict, max_length=64, examples=[{"service": "payments"}])
    template: str | None = Field(
        default=None, min_length=1, max_length=3000, description="A template's name, or its text", examples=[None]
    )
    vars: dict[str, Any] = Field(default_factory=dict, max_length=100, description="What the template is filled with")
    buttons: list[AlertButtonIn] = Field(default_factory=list, max_length=6)
    photo: FileOrAddress | None = Field(default=None, description="A file, or its address", examples=[None])
    document: FileOrAddress | None = Field(default=None, description="A file, or its address", examples=[None])
    status: Literal["firing", "resolved"] = Field(default="firing", description="resolved ends what has this key")

    @field_validator("labels", "vars", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return {} if value is None else value


class AlertIn(AlertFields):
    """Something is wrong, or over."""

    bot_name: BotName | None = Field(default=None, description="By default the bot named alerts", examples=[None])
    chat_ids: list[ChatId] = Field(default_factory=list, max_length=50, examples=[[]])


class AlertAccepted(Output):
    """What was done with it."""

    alert_id: int | None
    decision: str = Field(
        description="sent, partial (not all of its chats can be reached), counted, "
        "grouped, silenced, undelivered, resolved, or ignored",
        examples=["sent"],
    )
    reason: str | None = Field(description="throttled, acknowledged, snoozed, silence, group_wait, a bot's code, …")
    count: int = Field(description="How often it was reported")
    level: str | None = Field(
        description="Where bot and chats came from: arguments, database, configs, environment", examples=["database"]
    )
    message_ids: list[int] = Field(description="Follow them with GET /api/messages/<id>")
    repaired: list[str] = Field(
        default_factory=list,
        description="What of a monitoring system's body could not be taken as it was: nul_character, invalid_utf8, …",
        examples=[[]],
    )


class AlertStep(Output):
    """Something that happens by itself."""

    what: str = Field(
        examples=["escalate"],
        description="notify, repeat, escalate, wake, unsilence, unacknowledge, resolve, or nothing",
    )
    at: Instant | None
    reason: str = Field(examples=["not_acknowledged"])


class AlertLink(Output):
    """A button's words and address."""

    text: str
    url: str


class AlertOut(Output):
    """An alert: one message that follows it."""

    id: int
    state: str = Field(examples=["firing"])
    severity: str
    title: str
    labels: dict[str, str] = Field(examples=[{"service": "payments"}])
    links: list[AlertLink]
    source: str
    bot_name: str
    policy_id: int | None
    level: str | None
    count: int = Field(description="All reports of all items")
    items: int
    firing: int = Field(description="How many items still fire")
    more: int = Field(description="Alerts that the sending system left out of its report")
    by_user_id: int | None = Field(description="Who brought it into its state")
    by_name: str | None
    opened_at: Instant
    started_at: Instant = Field(description="When it began, as its source says; else when it was opened")
    ended_at: Instant | None = Field(description="When it was over, as its source says; else when it was resolved")
    last_seen_at: Instant
    notified_at: Instant | None
    acknowledged_at: Instant | None
    snoozed_until: Instant | None
    silenced_until: Instant | None
    escalated_at: Instant | None
    resolved_at: Instant | None
    resolved_code: str | None
    chats: int = Field(description="In how many of its bot's chats it was to be said")
    undelivered_chats: int = Field(description="In how many of them it did not arrive")
    undelivered_reason: str | None = Field(description="Why not, in the first of them", examples=["kicked"])
    undelivered_code: str | None = Field(description="Why it did not get through by its own way")
    undelivered_at: Instant | None
    next: AlertStep
    upcoming: list[AlertStep]


class Alerts(Output):
    """A page of alerts, the newest first."""

    alerts: list[AlertOut]
    next_cursor: str | None


def _one_of_five(schema: dict[str, Any]) -> None:
    schema.pop("anyOf", None)
    schema |= {"type": "string", "enum": SEVERITIES}


class AlertQuery(PageQuery):
    """Which alerts."""

    state: State | None = None
    severity: str | None = Field(
        default=None, max_length=32, description=SEVERITY, examples=["critical"], json_schema_extra=_one_of_five
    )
    bot_name: str | None = Field(default=None, max_length=100)
    label: list[LabelFilter] = Field(
        default_factory=list,
        max_length=16,
        description="name=value, as a silence's matcher has it; also severity, title and bot_name. Given several times,"
        " one item of the alert has them all",
        examples=[["service=payments"]],
    )
    q: str | None = Field(default=None, min_length=1, max_length=200, description="A part of title or text")
    mine: bool = Field(default=False, description="Those that the caller brought into their state")

    @property
    def labels(self) -> list[tuple[str, str]]:
        """The labels that are asked for, as (name, value)."""
        return [(name, value) for name, _, value in (given.partition("=") for given in self.label)]


class AlertItemOut(Output):
    """One distinct thing that is wrong."""

    id: int
    severity: str
    title: str
    body: str
    labels: dict[str, str] = Field(examples=[{"service": "payments"}])
    links: list[AlertLink]
    count: int
    first_seen_at: Instant
    last_seen_at: Instant
    started_at: Instant | None = Field(description="When it began, as its source says")
    ended_at: Instant | None = Field(description="When it was over, as its source says")
    silenced_until: Instant | None
    silence_id: int | None
    resolved_at: Instant | None


class AlertItems(Output):
    """A page of items, in the order of the message."""

    items: list[AlertItemOut]
    next_cursor: str | None


class AlertMessageOut(Output):
    """One of its messages."""

    message_id: int
    role: str = Field(description="route, subscriber, escalation, admin, reply, or attachment", examples=["route"])
    user_id: int | None
    state: str = Field(examples=["sent"])
    reason: str | None
    reason_text: str | None = Field(
        description="The reason in words, in the language of Accept-Language", examples=[None]
    )
    next_attempt_at: Instant | None
    left_out: list[str] = Field(description="What had to be left out, or put another way", examples=[["attachment"]])
    living: bool = Field(description="Whether it still follows the alert")
    created_at: Instant


class AlertHappened(Output):
    """A step of its trace."""

    what: str = Field(examples=["acknowledged"])
    via: str
    user_id: int | None
    name: str | None
    detail: dict[str, Any]
    at: Instant


class AlertDetail(AlertOut):
    """An alert with its trace, its messages, and its first items."""

    first_items: list[AlertItemOut]
    messages: list[AlertMessageOut]
    history: list[AlertHappened]


class SnoozeIn(Input):
    """For how long."""

    seconds: int = Field(default=3600, ge=60, le=30 * 86_400, examples=[3600])


class AlertResolveIn(Input):
    """What is over: some items, or everything."""

    item_ids: list[Id] = Field(default_factory=list, max_length=1000)


class ReceiverQuery(Input):
    """Which bot."""

    bot_name: str | None = Field(default=None, min_length=1, max_length=100)


class ReceivedIn(Input):
    """The body as the monitoring system sends it."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    repaired: ClassVar[bool] = True
    """What could not be stored is repaired and noted: the sender would not send it again."""

    alerts: list[Any] = Field(
        examples=[[{"status": "firing", "labels": {"alertname": "HighLoad"}, "fingerprint": "c6eadffa33fcdf37"}]],
    )
