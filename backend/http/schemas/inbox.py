"""Labels, canned replies, assignment rules, the inbox's settings, and the search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints, field_validator

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery
from backend.http.schemas.posts import left_out

Color = Literal["grey", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
LongName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Minutes = Annotated[int, Field(ge=1, le=10_080)]
Interval = Annotated[list[str], Field(min_length=2, max_length=2)]


class LabelIn(Input):
    """A label."""

    name: Name = Field(examples=["urgent"])
    color: Color = "grey"


class LabelChange(Input):
    """What to change."""

    name: Name | None = Field(default=None, examples=["very urgent"], json_schema_extra=left_out)
    color: Color | None = Field(default=None, json_schema_extra=left_out)


class LabelOut(Output):
    """A label of conversations."""

    id: int
    name: str = Field(examples=["urgent"])
    color: str = Field(examples=["red"])
    created_at: Instant


class Labels(Output):
    """A page of labels, oldest first."""

    labels: list[LabelOut]
    next_cursor: str | None


class CannedReplyIn(Input):
    """A text for answers. Variables are `{contact.first_name|there}`, `{agent.name}`, `{contact.fields.<key>}`."""

    name: LongName = Field(examples=["Deposit"])
    shortcut: str | None = Field(default=None, max_length=41, examples=["/deposit"])
    text: str = Field(default="", max_length=5000, examples=["Hello {contact.first_name|there}, two rents it is."])
    format: Literal["plain", "html"] = "plain"
    file_ids: list[Id] = Field(default_factory=list, max_length=10)
    personal: StrictBool = Field(default=False, description="Whether only the caller sees it")


class CannedReplyChange(Input):
    """What to change."""

    name: LongName | None = Field(default=None, json_schema_extra=left_out)
    shortcut: str | None = Field(default=None, max_length=41, json_schema_extra=left_out)
    text: str | None = Field(default=None, max_length=5000, json_schema_extra=left_out)
    format: Literal["plain", "html"] | None = Field(default=None, json_schema_extra=left_out)
    file_ids: list[Id] | None = Field(default=None, max_length=10, json_schema_extra=left_out)


class CannedReplyOut(Output):
    """A canned reply."""

    id: int
    name: str = Field(examples=["Deposit"])
    shortcut: str | None = Field(examples=["deposit"])
    text: str
    format: str = Field(examples=["plain"])
    file_ids: list[int]
    personal: bool
    created_at: Instant
    updated_at: Instant


class CannedReplies(Output):
    """A page of canned replies, oldest first."""

    canned_replies: list[CannedReplyOut]
    next_cursor: str | None


class CannedRepliesQuery(PageQuery):
    """Which replies."""

    q: str | None = Field(default=None, max_length=100, description="A part of a name, a shortcut or a text")


class RenderQuery(Input):
    """For which conversation."""

    conversation_id: Id


class RenderedReply(Output):
    """A canned reply as it is said in a conversation."""

    id: int
    text: str
    format: str = Field(examples=["plain"])
    file_ids: list[int]


class AssignmentRuleIn(Input):
    """Who gets a conversation that nobody has. What is left out fits every conversation."""

    name: LongName = Field(examples=["Lettings"])
    channel: str | None = Field(default=None, max_length=64, examples=["whatsapp"])
    label_id: Id | None = Field(default=None, examples=[None])
    integration_id: Id | None = Field(default=None, examples=[None])
    method: Literal["round_robin", "user"] = Field(
        default="round_robin", description="In turn, or always the first of the people who is there and has room"
    )
    user_ids: list[Id] = Field(min_length=1, max_length=200)
    capacity: int | None = Field(default=None, ge=1, le=1000, description="Open conversations that each may have")
    is_active: StrictBool = True
    position: int | None = Field(default=None, ge=0, le=32_000, examples=[None])


class AssignmentRuleChange(Input):
    """What to change."""

    name: LongName | None = Field(default=None, json_schema_extra=left_out)
    channel: str | None = Field(default=None, max_length=64, json_schema_extra=left_out)
    label_id: Id | None = Field(default=None, json_schema_extra=left_out)
    integration_id: Id | None = Field(default=None, json_schema_extra=left_out)
    method: Literal["round_robin", "user"] | None = Field(default=None, json_schema_extra=left_out)
    user_ids: list[Id] | None = Field(default=None, min_length=1, max_length=200, json_schema_extra=left_out)
    capacity: int | None = Field(default=None, ge=1, le=1000, json_schema_extra=left_out)
    is_active: StrictBool | None = Field(default=None, json_schema_extra=left_out)
    position: int | None = Field(default=None, ge=0, le=32_000, json_schema_extra=left_out)


class AssignmentRuleOut(Output):
    """A rule. The first that fits and has somebody decides."""

    id: int
    position: int
    name: str
    channel: str | None
    label_id: int | None
    integration_id: int | None
    method: str = Field(examples=["round_robin"])
    user_ids: list[int]
    capacity: int | None
    is_active: bool
    last_user_id: int | None = Field(description="Who had the last turn")
    created_at: Instant
    updated_at: Instant


class AssignmentRules(Output):
    """A page of rules."""

    assignment_rules: list[AssignmentRuleOut]
    next_cursor: str | None


class InboxSettingsChange(Input):
    """What to change; null takes it away."""

    first_response_minutes: Minutes | None = Field(default=None, examples=[15], json_schema_extra=left_out)
    next_response_minutes: Minutes | None = Field(default=None, examples=[60], json_schema_extra=left_out)
    working_hours: dict[str, list[Interval]] | None = Field(
        default=None,
        max_length=7,
        description="By weekday (`mon` … `sun`): intervals of local time; null for always",
        examples=[{"mon": [["09:00", "18:00"]]}],
        json_schema_extra=left_out,
    )
    away_text: str | None = Field(
        default=None, max_length=1000, description="Said once in each absence", json_schema_extra=left_out
    )
    timezone: str | None = Field(default=None, max_length=64, examples=["Asia/Seoul"], json_schema_extra=left_out)


class InboxSettingsOut(Output):
    """How fast the workspace means to answer, and when it is there."""

    first_response_minutes: int | None
    next_response_minutes: int | None
    working_hours: dict[str, Any] | None
    away_text: str | None
    timezone: str | None


class AvailabilityIn(Input):
    """Whether the caller takes conversations."""

    is_available: StrictBool


class Colleague(Output):
    """A person who may answer."""

    user_id: int
    name: str = Field(examples=["Kim"])
    is_available: bool
    changed_at: Instant | None
    open_conversations: int


class Team(Output):
    """The people who may answer, by name."""

    people: list[Colleague]


class SearchQuery(PageQuery):
    """What to look for: words by their beginnings, Korean inside words, "phrases", phone numbers by digits."""

    q: str = Field(min_length=2, max_length=100, examples=["deposit"])
    in_: list[Literal["messages", "contacts", "conversations"]] = Field(
        default_factory=list, alias="in", max_length=3, description="Where; everywhere where nothing is named"
    )
    conversation_id: Id | None = None
    contact_id: Id | None = None
    from_: Moment | None = Field(default=None, alias="from", description="Messages from this moment on")
    to: Moment | None = Field(default=None, description="Messages before this moment")
    has: list[Literal["file", "link"]] = Field(default_factory=list, max_length=2)

    @field_validator("in_", "has", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """`in=messages,contacts` and `in=messages&in=contacts` mean the same."""
        if value is None:
            return []
        items = value if isinstance(value, list | tuple) else [value]
        return [part.strip() for item in items for part in str(item).split(",") if part.strip()]


class SearchResult(Output):
    """Something that was found."""

    kind: str = Field(description="message, contact or conversation", examples=["message"])
    id: int
    title: str | None = Field(description="Whom it is about", examples=["Ada Sample"])
    snippet: str | None = Field(examples=["… the deposit is two rents …"])
    at: Instant | None
    conversation_id: int | None
    contact_id: int | None
    deal_id: int | None


class SearchResults(Output):
    """What was found: contacts and conversations first, then messages, newest first."""

    results: list[SearchResult]
    next_cursor: str | None = Field(description="For further messages")
    partial: bool = Field(description="Whether the time ended before everything was looked at")
