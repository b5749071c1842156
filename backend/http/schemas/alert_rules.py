"""What a workspace wants done about alerts: silences, policies, templates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints

from backend.http.schemas.alerts import AlertOut, BotName, ChatId
from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery

Seconds = Annotated[int, Field(ge=0, le=30 * 86_400)]
SomeSeconds = Annotated[int, Field(ge=60, le=30 * 86_400)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _left_out(schema: dict[str, Any]) -> None:
    """A field that stays as it is when left out."""
    schema.pop("default", None)


def _deprecated(schema: dict[str, Any]) -> None:
    """Marks a field that stays for the programs that read it, beside its better name."""
    schema["deprecated"] = True


class AlertMatcherIn(Input):
    """A label, an operator and a value."""

    label: LabelName = Field(examples=["service"])
    op: str = Field(default="=", max_length=2, description="=, !=, =~ or !~", examples=["="])
    value: str = Field(max_length=4096, examples=["payments"])


class AlertMatcher(Output):
    """A label, an operator and a value."""

    label: str
    op: str
    value: str


Matchers = Annotated[list[AlertMatcherIn], Field(max_length=200)]


class AlertSilenceIn(Input):
    """A new silence: from now, or `starts_at`, for `seconds` or until `ends_at`."""

    matchers: Matchers
    starts_at: Moment | None = Field(default=None, examples=[None])
    ends_at: Moment | None = Field(default=None, examples=[None])
    seconds: int | None = Field(default=None, ge=60, le=366 * 86_400, examples=[7200])
    comment: str | None = Field(default=None, max_length=500, examples=["Planned work"])


class AlertSilenceChange(Input):
    """The fields to change; what is left out stays."""

    matchers: Matchers = Field(default_factory=list, json_schema_extra=_left_out)
    starts_at: Moment | None = Field(default=None, json_schema_extra=_left_out)
    ends_at: Moment | None = Field(default=None, json_schema_extra=_left_out)
    comment: str | None = Field(default=None, max_length=500, examples=["Planned work"], json_schema_extra=_left_out)


class AlertSilenceOut(Output):
    """A silence."""

    id: int
    state: str = Field(description="active, pending, disabled (switched off by itself) or expired", examples=["active"])
    matchers: list[AlertMatcher]
    starts_at: Instant
    ends_at: Instant
    comment: str | None
    by_user_id: int | None
    created_by_name: str | None
    silencing_now: int = Field(description="Things it silences now")
    silenced_count: int = Field(description="Distinct things it has silenced")
    by_name: str | None = Field(description="As `created_by_name`", json_schema_extra=_deprecated)
    hushing: int = Field(description="As `silencing_now`", json_schema_extra=_deprecated)
    hushed: int = Field(description="As `silenced_count`", json_schema_extra=_deprecated)
    disabled_code: str | None = Field(
        description="Why it was switched off: bad_pattern, pattern_too_large, pattern_too_costly", examples=[None]
    )
    created_at: Instant


class AlertSilences(Output):
    """A page of silences, the newest first."""

    silences: list[AlertSilenceOut]
    next_cursor: str | None


class SilenceQuery(PageQuery):
    """Which silences."""

    state: Literal["active", "pending", "disabled", "expired"] | None = None


class SilencePreviewIn(Input):
    """Matchers to try."""

    matchers: Matchers


class SilencePreview(Output):
    """What they would silence now."""

    alerts: list[AlertOut] = Field(description="Alerts that would fall silent as a whole, 50 at most")
    alert_count: int
    item_count: int
    untouched_count: int = Field(description="Things that fire and would not be silenced")
    last_week_count: int = Field(description="Things of the last seven days that would have been silenced")
    complete: bool = Field(description="False where there was more than is read: the newest things are counted")


class AlertPolicyFields(Input):
    """What is done about which alerts. Durations are seconds; null means never."""

    position: int = Field(default=0, ge=0, le=1000, description="The first that matches counts")
    matchers: Matchers = Field(default_factory=list)
    locale: Literal["en", "ko"] = "en"
    group_by: list[LabelName] = Field(default_factory=list, max_length=10, examples=[["service"]])
    group_wait: Seconds = 30
    group_interval: Seconds = 300
    repeat_interval: SomeSeconds | None = Field(default=None, examples=[3000])
    acknowledged_for: SomeSeconds | None = 86_400
    quiet_after: SomeSeconds | None = 86_400
    escalate_after: SomeSeconds | None = Field(default=None, examples=[None])
    escalate_bot_name: BotName | None = Field(default=None, examples=[None])
    escalate_chat_ids: list[ChatId] = Field(default_factory=list, max_length=50, examples=[[]])
    escalate_user_ids: list[Id] = Field(default_factory=list, max_length=50, examples=[[]])
    quiet_recoveries: StrictBool = True
    resolve_reply: StrictBool = False


class AlertPolicyIn(AlertPolicyFields):
    """A new policy."""

    name: str = Field(min_length=1, max_length=100, examples=["Payments"])


class AlertPolicyChange(AlertPolicyFields):
    """The fields to change; what is left out stays."""

    name: str = Field(default="", min_length=1, max_length=100, json_schema_extra=_left_out)


class AlertPolicyOut(Output):
    """A policy."""

    id: int
    name: str
    position: int
    matchers: list[AlertMatcher]
    locale: str
    group_by: list[str] = Field(examples=[["service"]])
    group_wait: int
    group_interval: int
    repeat_interval: int | None
    acknowledged_for: int | None
    quiet_after: int | None
    escalate_after: int | None
    escalate_bot_name: str | None
    escalate_chat_ids: list[str] = Field(examples=[[]])
    escalate_user_ids: list[int] = Field(examples=[[]])
    quiet_recoveries: bool
    resolve_reply: bool
    disabled_code: str | None = Field(description="Why it was switched off; it is passed over then", examples=[None])
    created_at: Instant
    updated_at: Instant


class AlertPolicies(Output):
    """All policies, in the order in which they are tried."""

    policies: list[AlertPolicyOut]
    throttle_seconds: int = Field(description="Within these, the same key is only counted")
    next_cursor: str | None


class AlertTemplateFields(Input):
    """What a template says, with {placeholders}."""

    title: str | None = Field(default=None, max_length=500, examples=["{service} is down"])
    body: str = Field(min_length=1, max_length=3000, examples=["<b>{host}</b> has not answered since {since|a while}."])


class AlertTemplateIn(AlertTemplateFields):
    """A new template."""

    name: str = Field(min_length=1, max_length=48, pattern=r"^[a-z][a-z0-9_-]*$", examples=["host_down"])


class AlertTemplateChange(Input):
    """The fields to change; what is left out stays."""

    title: str | None = Field(default=None, max_length=500, examples=["{service} is down"], json_schema_extra=_left_out)
    body: str = Field(
        default="", min_length=1, max_length=3000, examples=["<b>{host}</b> is away."], json_schema_extra=_left_out
    )


class AlertTemplateOut(Output):
    """A template."""

    id: int
    name: str
    title: str | None
    body: str
    created_at: Instant
    updated_at: Instant


class AlertTemplates(Output):
    """A page of templates, the oldest first."""

    templates: list[AlertTemplateOut]
    next_cursor: str | None
