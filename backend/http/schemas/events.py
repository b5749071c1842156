"""Events as they are reported and read."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from backend.http.schemas.base import MAX_ID, Id, Input, Instant, Output, PageQuery

MAX_DATA = 64 * 1024
"""Bytes of an event's data as JSON."""


class AttachmentIn(Input):
    """A picture or document to send along: from an address, or from an uploaded file."""

    kind: Literal["photo", "document"]
    url: str | None = Field(
        default=None, max_length=2048, description="A public http(s) address", examples=["https://example.com/a.png"]
    )
    file_id: Id | None = Field(default=None, description="The id of an uploaded file")

    @model_validator(mode="after")
    def _one_source(self) -> AttachmentIn:
        if (self.url is None) == (self.file_id is None):
            raise ValueError("An attachment has either a url or a file_id.")
        return self


class EventIn(Input):
    """Something that happened and that a person wants to know."""

    type: str = Field(
        min_length=1, max_length=64, examples=["post_success"], description="A built-in type or one of the workspace"
    )
    user_id: Id | None = Field(default=None, description="The person it is for; by default the caller", examples=[None])
    external_user_id: str | None = Field(
        default=None, description="The person by the host application's own id; made if unknown", examples=[None]
    )
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="What the message is made of; lines whose data is missing fall away",
        examples=[{"platform": "instagram", "content": "Hello", "likes": 12, "post_url": "https://example.com/p/1"}],
    )
    subject: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="A later event of the same person and subject edits the message already sent",
        examples=["post:17"],
    )
    version: StrictInt | None = Field(
        default=None, ge=-MAX_ID - 1, le=MAX_ID, description="Rises with each state of the subject", examples=[1]
    )
    critical: StrictBool = Field(
        default=False, description="Passes mutes and quiet hours; needs the scope notify:critical", examples=[False]
    )
    attachment: AttachmentIn | None = Field(default=None, examples=[None])

    @field_validator("data", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("data")
    @classmethod
    def _bounded(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_DATA:
            raise ValueError(f"The data has at most {MAX_DATA:,} bytes.")
        return value


class EventAccepted(Output):
    """What was decided."""

    event_id: int
    decision: str = Field(description="queued, deferred or suppressed", examples=["queued"])
    reason: str | None = Field(
        description="Why it waits or is not sent: not_linked, muted, quiet_hours, blocked, stale_version, …"
    )
    reason_text: str | None = Field(
        description="The reason in words, in the language of Accept-Language", examples=["Quiet hours."]
    )
    message_id: int | None = Field(description="Follow it with GET /api/messages/<id>")


class AttachmentOut(Output):
    """An event's attachment and how far it got."""

    kind: str
    url: str | None = None
    file_id: int | None = None
    state: str | None = Field(default=None, description="waiting, stored or failed, for an address")
    error: str | None = Field(default=None, description="Why the address could not be fetched")


class EventOut(EventAccepted):
    """An event as it was reported, and the decision on it."""

    id: int
    type: str = Field(examples=["post_success"])
    user_id: int
    data: dict[str, Any] = Field(examples=[{"platform": "instagram", "content": "Hello", "likes": 12}])
    subject: str | None
    version: int | None
    critical: bool
    attachment: AttachmentOut | None
    created_at: Instant


class EventQuery(PageQuery):
    """Which events."""

    type: str | None = Field(default=None, max_length=64)
    user_id: Id | None = None


class Events(Output):
    """A page of events, newest first."""

    events: list[EventOut]
    next_cursor: str | None
