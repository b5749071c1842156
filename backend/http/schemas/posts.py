"""Posts as they are written, read, and reported on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, StringConstraints, model_validator

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery

Platform = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), Field(examples=["telegram"])
]
Count = Annotated[StrictInt, Field(ge=0, le=10**15)]
PublisherName = Literal["telegram", "facebook", "instagram", "webhook"]
MAX_CONTENT = 65_000


def left_out(schema: dict[str, Any]) -> None:
    """A field that stays as it is when left out."""
    schema.pop("default", None)


class MediaIn(Input):
    """A picture or document of a post: at a public address, or an uploaded file."""

    kind: Literal["photo", "document"] = "photo"
    url: str | None = Field(default=None, max_length=2048, examples=["https://example.com/a.jpg"])
    file_id: Id | None = Field(default=None, description="The id of an uploaded file", examples=[None])

    @model_validator(mode="after")
    def _one_source(self) -> MediaIn:
        if (self.url is None) == (self.file_id is None):
            raise ValueError("A picture or document has either a url or a file_id.")
        return self


class TargetIn(Input):
    """Where on the platform; what is left out is found by what is set up."""

    bot_name: str | None = Field(default=None, max_length=200, description="Telegram: the bot", examples=[None])
    bot_id: Id | None = Field(default=None, description="Telegram: the bot", examples=[None])
    chat_id: str | None = Field(
        default=None, max_length=100, description="Telegram: the channel, if the bot has several", examples=[None]
    )
    page_id: str | None = Field(default=None, max_length=64, description="Facebook: the Page", examples=[None])
    ig_user_id: str | None = Field(default=None, max_length=64, description="Instagram: the account", examples=[None])

    def given(self) -> dict[str, Any]:
        """What was given."""
        return self.model_dump(exclude_none=True)


Media = Annotated[list[MediaIn], Field(max_length=10)]


class PostIn(Input):
    """A post to publish, now or later."""

    platform: Platform
    content: str = Field(default="", max_length=MAX_CONTENT, examples=["Our spring menu is here"])
    media: Media = Field(default_factory=list)
    target: TargetIn = Field(default_factory=TargetIn)
    scheduled_at: Moment | None = Field(
        default=None, description="When to publish; at once when left out", examples=["2030-01-01T09:00:00Z"]
    )
    state: Literal["draft", "scheduled"] = Field(default="scheduled", description="A draft is not published")
    publisher: PublisherName | None = Field(
        default=None, description="`webhook` hands a post to the host application in any case", examples=[None]
    )
    user_id: Id | None = Field(default=None, description="Whose post it is; by default the caller's", examples=[None])
    external_user_id: str | None = Field(
        default=None, description="The person by the host application's own id; made if unknown", examples=[None]
    )


class PostChange(Input):
    """The fields to change; what is left out stays. After publication: `likes` and `comments`."""

    platform: Platform = Field(default="", json_schema_extra=left_out)
    content: str = Field(default="", max_length=MAX_CONTENT, examples=["Our menu"], json_schema_extra=left_out)
    media: Media = Field(default_factory=list, json_schema_extra=left_out)
    target: TargetIn = Field(default_factory=TargetIn, json_schema_extra=left_out)
    scheduled_at: Moment | None = Field(default=None, examples=["2030-01-01T09:00:00Z"], json_schema_extra=left_out)
    publisher: PublisherName | None = Field(default=None, examples=[None], json_schema_extra=left_out)
    state: Literal["draft", "scheduled", "canceled", "published", "failed"] = Field(
        default="scheduled",
        description="`published` and `failed` report a result, as `POST /api/posts/<id>/result` does",
        examples=["scheduled"],
        json_schema_extra=left_out,
    )
    likes: Count = Field(default=0, examples=[1234], json_schema_extra=left_out)
    comments: Count = Field(default=0, examples=[56], json_schema_extra=left_out)
    external_id: str | None = Field(default=None, max_length=200, examples=[None], json_schema_extra=left_out)
    post_url: str | None = Field(default=None, max_length=2048, examples=[None], json_schema_extra=left_out)
    error: str | None = Field(default=None, max_length=500, examples=[None], json_schema_extra=left_out)


class ResultIn(Input):
    """What became of a post that the host application was asked to publish."""

    outcome: Literal["published", "failed"]
    attempt: StrictInt | None = Field(
        default=None, ge=1, le=32_000, description="The request's `attempt`: an answer to an earlier one is refused"
    )
    external_id: str | None = Field(default=None, max_length=200, examples=["1790000000000000000"])
    post_url: str | None = Field(default=None, max_length=2048, examples=["https://example.com/p/1"])
    error: str | None = Field(default=None, max_length=500, description="For people", examples=[None])


class ResolveIn(Input):
    """A person's answer to what became of a post whose outcome is unknown."""

    outcome: Literal["published", "failed", "retry"] = Field(
        description="`retry` publishes it again: look whether it is there first", examples=["published"]
    )
    external_id: str | None = Field(default=None, max_length=200, examples=[None])
    post_url: str | None = Field(default=None, max_length=2048, examples=["https://example.com/p/1"])


class MediaOut(Output):
    """A picture or document."""

    kind: str = Field(examples=["photo"])
    url: str | None = None
    file_id: int | None = None


class PostAttemptOut(Output):
    """A try that was begun, or what came of it."""

    number: int
    phase: str = Field(description="begun, then published, failed, unknown, or again", examples=["published"])
    code: str | None
    at: Instant


class PostOut(Output):
    """A post, its state, and why it is in it."""

    id: int
    user_id: int
    platform: str
    publisher: str | None
    content: str
    media: list[MediaOut]
    target: dict[str, Any]
    scheduled_at: Instant | None
    state: str = Field(
        description="draft, scheduled, publishing, published, failed, unknown or canceled", examples=["published"]
    )
    reason: str | None = Field(description="Why it waits, or why it ended so")
    next_attempt_at: Instant | None
    attempts: int
    error: str | None = Field(description="What the platform or the host application said of a failure")
    external_id: str | None
    post_url: str | None
    likes: int | None
    comments: int | None
    rule_run_id: int | None
    created_at: Instant
    updated_at: Instant
    published_at: Instant | None
    ended_at: Instant | None


class PostDetail(PostOut):
    """A post with every try."""

    tries: list[PostAttemptOut]


class PostQuery(PageQuery):
    """Which posts."""

    state: Literal["draft", "scheduled", "publishing", "published", "failed", "unknown", "canceled"] | None = None
    platform: str | None = Field(default=None, max_length=40)
    user_id: Id | None = None
    rule_id: Id | None = None


class Posts(Output):
    """A page of posts, newest first."""

    posts: list[PostOut]
    next_cursor: str | None
