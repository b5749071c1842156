"""Messages and how far they got."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Id, Instant, Output, PageQuery


class MessageOut(Output):
    """An outbound message. Its words are not part of it."""

    id: int
    conversation_id: int
    user_id: int | None = Field(description="The person it is for")
    kind: str = Field(examples=["notification"])
    state: str = Field(
        description="queued, accepted, sent, delivered, read, played, failed, canceled or unknown", examples=["sent"]
    )
    reason: str | None = Field(description="Why it is not sent yet, or never was", examples=["quiet_hours"])
    reason_text: str | None = Field(
        description="The reason in words, in the language of Accept-Language",
        examples=["The sender rests."],
    )
    next_attempt_at: Instant | None
    attempts: int
    external_id: str | None = Field(description="The provider's id")
    error: str | None = Field(description="Why it failed", examples=["blocked"])
    left_out: list[str] = Field(
        description="What had to be left out, or put another way, for its words to arrive", examples=[["attachment"]]
    )
    created_at: Instant
    sent_at: Instant | None
    delivered_at: Instant | None
    read_at: Instant | None


class MessageQuery(PageQuery):
    """Which messages."""

    conversation_id: Id | None = None
    user_id: Id | None = None
    kind: str | None = Field(default=None, max_length=64)


class Messages(Output):
    """A page of messages, newest first."""

    messages: list[MessageOut]
    next_cursor: str | None
