"""Endpoints of a workspace, and the log of what they were told."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints, field_validator

from backend.http.schemas.base import Id, Input, Instant, Output, PageQuery

Pattern = Annotated[
    str, StringConstraints(pattern=r"^(\*|[a-z_]+(\.[a-z_]+)*(\.\*)?)$", max_length=64), Field(examples=["post.*"])
]


def _left_out(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class EndpointIn(Input):
    """An endpoint to add."""

    url: str = Field(
        min_length=1, max_length=2048, description="A public http(s) address", examples=["https://example.com/hooks"]
    )
    events: list[Pattern] = Field(
        min_length=1, max_length=50, description="Types, families such as `post.*`, or `*`", examples=[["post.*"]]
    )
    name: str | None = Field(default=None, max_length=100, examples=["The shop"])
    kind: Literal["webhook", "sheets"] = Field(
        default="webhook", description="`sheets` is a deployed Apps Script: the signature is in the body"
    )
    enabled: StrictBool = True


class EndpointChange(Input):
    """The fields to change; what is left out stays."""

    url: str = Field(
        default="", min_length=1, max_length=2048, examples=["https://example.com/hooks"], json_schema_extra=_left_out
    )
    events: list[Pattern] = Field(
        default_factory=list, min_length=1, max_length=50, examples=[["*"]], json_schema_extra=_left_out
    )
    name: str | None = Field(default=None, max_length=100, examples=["The shop"], json_schema_extra=_left_out)
    enabled: StrictBool = Field(
        default=True, description="true also takes back a disabling", examples=[True], json_schema_extra=_left_out
    )


class EndpointOut(Output):
    """An endpoint, without its secret."""

    id: int
    name: str | None
    kind: str = Field(description="webhook or sheets", examples=["webhook"])
    environment_name: str | None = Field(description="The variable that holds the address, for the environment's")
    url: str
    events: list[str] = Field(examples=[["post.*"]])
    enabled: bool
    disabled_code: str | None = Field(description="Why it was switched off: failing_for_long, gone, not_configured")
    disabled_at: Instant | None
    failures: int = Field(description="Failed tries since the last success")
    failing_since: Instant | None
    last_success_at: Instant | None
    rest_until: Instant | None = Field(description="Nothing is sent there before: it seems to be away")
    created_at: Instant
    updated_at: Instant


class EndpointWithSecret(EndpointOut):
    """An endpoint and its secret, shown this once."""

    secret: str | None = Field(description="Signs what is sent; null in the replay of an `Idempotency-Key`")


class Endpoints(Output):
    """A page of endpoints, oldest first."""

    webhooks: list[EndpointOut]
    next_cursor: str | None


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    webhook_id: Id | None = None
    state: Literal["due", "delivered", "failed"] | None = None
    type: str | None = Field(default=None, max_length=64)


class DeliveryOut(Output):
    """One event for one endpoint, and how far it got."""

    id: int
    webhook_id: int
    event_id: str = Field(description="The same at every try, and at every endpoint", examples=["evt_EXAMPLE"])
    type: str = Field(examples=["post.published"])
    state: str = Field(description="due, delivered or failed", examples=["delivered"])
    reason: str | None = Field(description="Why it waits or was given up")
    attempts: int
    next_attempt_at: Instant | None
    status: int | None = Field(description="What the endpoint last answered")
    created_at: Instant
    ended_at: Instant | None


class AttemptOut(Output):
    """One try."""

    at: Instant
    status: int | None
    code: str | None = Field(description="What went wrong; null for a success")
    detail: str | None = Field(description="What a script said of its failure, or its page's title")
    duration_ms: int


class DeliveryDetail(DeliveryOut):
    """A delivery with what is sent and every try."""

    body: dict[str, Any] = Field(description="What is sent")
    tries: list[AttemptOut]

    @field_validator("body", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


class Deliveries(Output):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


class EventTypeOut(Output):
    """A type of event that endpoints can ask for."""

    type: str = Field(examples=["post.published"])
    meaning: str = Field(examples=["A post was published"])


class EventTypes(Output):
    """All types there are."""

    events: list[EventTypeOut]
