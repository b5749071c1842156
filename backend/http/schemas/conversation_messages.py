"""The messages of a conversation, and what is written in it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, StrictBool

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery


class ThreadQuery(PageQuery):
    """Which messages: the newest, older ones by `cursor`, those around one, or those after one."""

    around: Id | None = Field(default=None, description="A message in the middle of the page")
    after: Id | None = Field(default=None, description="Only what came after this message")


class Author(Output):
    """Who wrote it."""

    identity_id: int | None
    contact_id: int | None
    user_id: int | None = Field(description="The person of the workspace")
    name: str | None = Field(examples=["Ada Sample"])


class Entity(Output):
    """A span of formatting, in UTF-16 units."""

    type: str = Field(description="bold, italic, underline, strike, code, pre or link", examples=["bold"])
    offset: int
    length: int
    url: str | None


class FileOfMessage(Output):
    """A file that a message brings."""

    id: int | None = Field(description="Of a received file: its own id, also before it is stored")
    file_id: int | None = Field(description="The stored file, for `/api/files/<id>`")
    kind: str = Field(examples=["photo"])
    filename: str | None
    mime: str | None
    size: int | None = Field(description="Bytes")
    width: int | None
    height: int | None
    duration: int | None = Field(description="Seconds")
    url: str | None = Field(examples=["/api/files/7"])
    state: str = Field(
        description="remote, waiting, fetching, stored, too_large, protected, view_once, unavailable or failed",
        examples=["stored"],
    )
    reason: str | None


class Answered(Output):
    """The message that this one answers."""

    message_id: int | None
    external_id: str
    quote: str | None


class Reaction(Output):
    """A reaction, and how many have it."""

    reaction: str = Field(examples=["👍"])
    count: int
    mine: bool = Field(description="Whether it is ours")


class ThreadMessage(Output):
    """A message of a conversation."""

    id: int
    conversation_id: int
    external_id: str | None
    direction: str = Field(description="in or out", examples=["in"])
    via: str = Field(
        description="provider, phone, console, api, campaign, assistant, notification or import", examples=["provider"]
    )
    author: Author
    kind: str = Field(description="text, photo, voice, location, template, unsupported …", examples=["text"])
    text: str = Field(examples=["Is the flat still free?"])
    entities: list[Entity]
    content: dict[str, Any] | None = Field(description="What it holds besides text and files, by kind")
    template: dict[str, Any] | None = Field(description="The provider's template that was sent")
    files: list[FileOfMessage]
    reply_to: Answered | None
    forwarded: bool
    thread_id: str | None
    reactions: list[Reaction]
    at: Instant = Field(description="The provider's time; the order of the thread")
    created_at: Instant
    sent_at: Instant | None
    delivered_at: Instant | None
    read_at: Instant | None
    played_at: Instant | None
    edited_at: Instant | None
    versions: int = Field(description="How many texts it has had; see `/api/messages/<id>/versions`")
    deleted_at: Instant | None = Field(description="When it was taken back; its words are gone then")
    state: str = Field(examples=["received"])
    reason: str | None = Field(description="Why it waits or was not sent", examples=["window_closed"])
    reason_text: str | None = Field(description="The same in words, in the language of Accept-Language")
    next_attempt_at: Instant | None
    error: str | None
    error_detail: str | None
    price: dict[str, Any] | None


class ThreadMessages(Output):
    """A page of messages, newest first by the provider's time."""

    messages: list[ThreadMessage]
    next_cursor: str | None = Field(description="For older ones")


class MessageVersionOut(Output):
    """What a message said."""

    version: int
    text: str
    since: Instant | None


class MessageVersions(Output):
    """All that a message has said, the newest first."""

    versions: list[MessageVersionOut]


class TemplateIn(Input):
    """A template that the provider keeps."""

    name: str = Field(min_length=1, max_length=512, examples=["viewing_reminder"])
    language: str = Field(min_length=2, max_length=20, examples=["en"])
    variables: list[str] | dict[str, str] = Field(
        default_factory=list,
        description="The values by their keys (`1`, `name`, `header.1`, `button.0`), or in the order of the keys",
        examples=[["Ada", "10:00"]],
    )


class ReplyIn(Input):
    """What is to be said."""

    text: str = Field(default="", max_length=20_000, examples=["Yes, it is."])
    format: Literal["plain", "html"] = "plain"
    file_ids: list[Id] = Field(default_factory=list, max_length=10)
    reply_to: Id | None = Field(default=None, description="The message that it answers", examples=[None])
    template: TemplateIn | None = Field(default=None, examples=[None])
    not_before: Moment | None = Field(default=None, description="To be sent later", examples=[None])
    expect_last_message_id: Id | None = Field(
        default=None,
        description="The newest message that the writer has seen; 409 `conversation_moved` where there is a newer one",
        examples=[None],
    )


class StartIn(ReplyIn):
    """What is to be said, from which integration, and to whom."""

    integration_id: Id
    contact_id: Id | None = Field(default=None, examples=[None])
    phone: str | None = Field(default=None, max_length=60, examples=["+44 7700 900123"])


class EditIn(Input):
    """What it says from now on."""

    text: str = Field(min_length=1, max_length=20_000, examples=["Yes, it is still free."])


class MessageRetryIn(Input):
    """Whether it is said again although it may have arrived."""

    although_unknown: StrictBool = False


class Written(Output):
    """The message that was stored."""

    message_id: int
    conversation_id: int
    state: str = Field(examples=["queued"])
