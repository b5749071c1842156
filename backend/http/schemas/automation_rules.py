"""Automation rules and their runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt

from backend.http.schemas.base import Id, Input, Instant, Moment, Output
from backend.http.schemas.posts import Media, MediaOut, Platform, TargetIn, left_out


class TimingIn(Input):
    """When a rule runs: a cron expression, an interval, or one moment."""

    kind: Literal["cron", "interval", "once"]
    cron: str | None = Field(default=None, max_length=200, description="Five fields, local", examples=["0 9 * * 1"])
    interval_seconds: StrictInt | None = Field(default=None, ge=0, le=10**9, examples=[None])
    run_at: Moment | None = Field(default=None, examples=[None])
    timezone: str | None = Field(
        default=None, max_length=64, description="By default the person's own", examples=["Asia/Seoul"]
    )


class TimingOut(Output):
    """When a rule runs."""

    kind: str = Field(examples=["cron"])
    cron: str | None
    interval_seconds: int | None
    run_at: Instant | None
    timezone: str


Platforms = Annotated[list[Platform], Field(min_length=1, max_length=20, examples=[["telegram"]])]
Targets = Annotated[dict[str, TargetIn], Field(max_length=20, examples=[{}])]
Name = Annotated[str | None, Field(max_length=100, examples=["Monday specials"])]


class RuleIn(Input):
    """A rule to add."""

    name: Name = None
    platforms: Platforms
    targets: Targets = Field(default_factory=dict, description="By platform: where on it, as in a post")
    content: str = Field(
        default="",
        max_length=20_000,
        description="With {date}, {time}, {weekday}, {rule} and {run}; {{ and }} are braces",
        examples=["Our specials on {weekday}, {date}"],
    )
    media: Media = Field(default_factory=list)
    timing: TimingIn
    enabled: StrictBool = True
    user_id: Id | None = Field(default=None, description="Whose posts they are; by default the caller", examples=[None])
    external_user_id: str | None = Field(
        default=None, description="The person by the host application's own id; made if unknown", examples=[None]
    )


class RuleChange(Input):
    """The fields to change; what is left out stays. Posts already made stay as they are."""

    name: Name = Field(default=None, json_schema_extra=left_out)
    platforms: Platforms = Field(default_factory=list, json_schema_extra=left_out)
    targets: Targets = Field(default_factory=dict, json_schema_extra=left_out)
    content: str = Field(default="", max_length=20_000, examples=["Hello"], json_schema_extra=left_out)
    media: Media = Field(default_factory=list, json_schema_extra=left_out)
    timing: TimingIn | None = Field(default=None, json_schema_extra=left_out)
    enabled: StrictBool | None = Field(default=None, json_schema_extra=left_out)


class RuleOut(Output):
    """A rule."""

    id: int
    name: str | None
    title: str = Field(description="The name; without one, `Auto-rule <id>`", examples=["Auto-rule 3"])
    user_id: int
    platforms: list[str] = Field(examples=[["telegram"]])
    targets: dict[str, Any]
    content: str
    media: list[MediaOut]
    timing: TimingOut
    enabled: bool
    next_run_at: Instant | None
    last_run_at: Instant | None
    created_at: Instant
    updated_at: Instant


class Rules(Output):
    """A page of rules, oldest first."""

    automation_rules: list[RuleOut]
    next_cursor: str | None


class RuleRunOut(Output):
    """One run of a rule."""

    id: int
    rule_id: int | None
    fire_at: Instant
    state: str = Field(description="running until all its posts have ended, then finished", examples=["finished"])
    created_at: Instant
    finished_at: Instant | None


class RuleRuns(Output):
    """A page of runs, newest first."""

    runs: list[RuleRunOut]
    next_cursor: str | None


class RuleRunAccepted(Output):
    """That it will run in a moment."""

    status: str = Field(examples=["queued"])
