"""Bots of a workspace, and what Telegram says of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from backend.http.schemas.base import Input, Instant, Output

Success = Literal["success"]
ChatType = Literal["private", "group", "supergroup", "channel"]


def _as_text(value: object) -> object:
    """Ids are strings here, and numbers in everything that Telegram itself says."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: object) -> object:
    """Chats as the environment writes them, with commas, are taken as well."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _left_out(schema: dict[str, Any]) -> None:
    """A field that stays as it is when left out: the value it has in Python then is nobody's business."""
    schema.pop("default", None)


ChatId = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(max_length=66, examples=["-1001234567890"], description="A number as a string, or @name"),
]
ThreadId = Annotated[str, BeforeValidator(_as_text), Field(max_length=20, examples=["42"])]
ChatIds = Annotated[list[ChatId], BeforeValidator(_as_list), Field(max_length=100)]
Token = Annotated[str, Field(min_length=1, max_length=200, examples=["123456:EXAMPLE-NOT-A-REAL-TOKEN"])]
Name = Annotated[str, Field(min_length=1, max_length=100, examples=["deploy"])]


class BotIn(Input):
    """A new bot."""

    name: Name = Field(description="Unique in the workspace, in any case")
    token: Token = Field(description="From @BotFather; never shown again")
    chat_ids: ChatIds = Field(default_factory=list, description="Where it writes unless a caller names other chats")
    chat_type: ChatType | None = Field(default=None, description="What its only chat is; found out by itself")
    message_thread_id: ThreadId | None = Field(default=None, description="A forum topic of its only chat")
    is_active: StrictBool = True


class BotChange(Input):
    """The fields to change; what is left out stays."""

    name: Name = Field(default="", json_schema_extra=_left_out)
    token: Token = Field(
        default="",
        description="A new token of the same bot; the masked one, as it was shown, changes nothing",
        json_schema_extra=_left_out,
    )
    chat_ids: ChatIds = Field(default_factory=list)
    chat_type: ChatType | None = Field(default=None, json_schema_extra=_left_out)
    message_thread_id: ThreadId | None = Field(default=None, json_schema_extra=_left_out)
    is_active: StrictBool = Field(default=True, json_schema_extra=_left_out)


class TestIn(Input):
    """What to say, and where, if not the usual and in the usual chats."""

    message: str | None = Field(default=None, max_length=4096, examples=["Hello from the staging server"])
    chat_id: ChatId | None = None
    message_thread_id: ThreadId | None = None


class TestOut(Output):
    """The messages are stored; `GET /api/messages/<id>` says what becomes of each."""

    status: Success = "success"
    message: str
    message_ids: list[int]


class UsageOut(Output):
    """How much a bot is used; every count stops at 1000."""

    chats: int = Field(description="Chats it has talked with")
    links: int = Field(description="People who have linked it")
    waiting: int = Field(description="Operations that wait to be carried out")
    attempts_24h: int = Field(description="Operations that were tried in the last 24 hours")
    last_attempt_at: Instant | None


class BotFacts(Output):
    """What Telegram last said of the bot's account."""

    display_name: str | None
    can_read_all_group_messages: bool | None = Field(description="False while privacy mode is on; null if unknown")
    checked_at: Instant | None = Field(description="When Telegram last answered")
    failed_at: Instant | None = Field(description="When it last could not be asked, if that was later")
    error: str | None


class BotChat(Output):
    """One of the bot's chats, and what Telegram last said of it."""

    chat_id: str = Field(examples=["-1001234567890"])
    type: str | None = None
    title: str | None = None
    username: str | None = None
    is_forum: bool | None = None
    error: str | None = Field(default=None, description="Why Telegram does not show it, as a code")
    checked_at: str | None = None
    state: str = Field(
        default="ok",
        description="`ok`, `closed` (nothing is sent there), or `unreachable` (the last message failed)",
        examples=["ok"],
    )
    code: str | None = Field(default=None, description="Why it cannot be written to", examples=["kicked"])
    since: Instant | None = None


class HealthOut(Output):
    """How the last scheduled check of the bot went."""

    state: str = Field(description="`ok`, `failed`, or `unknown` before the first check", examples=["ok"])
    code: str | None
    checked_at: Instant | None


class BotOut(Output):
    """A bot of the workspace."""

    id: int
    name: str
    token: str | None = Field(description="Masked", examples=["123456:…OKEN"])
    username: str | None
    chat_ids: list[str]
    chat_type: str | None
    message_thread_id: str | None
    is_active: bool
    disabled_code: str | None = Field(description="Why the product switched it off; null where a person did")
    bot: BotFacts
    chats: list[BotChat]
    unreachable_chats: int = Field(description="How many of its chats cannot be written to")
    health: HealthOut
    usage: UsageOut
    webhook_url: str = Field(description="Where its updates are taken, once the webhook is registered")
    last_inbound_at: Instant | None
    created_at: Instant


class Bots(Output):
    """A page of bots, oldest first."""

    telegram_bots: list[BotOut]
    next_cursor: str | None


class BotIdentity(Output):
    """A bot's account."""

    id: str
    username: str | None
    name: str
    can_join_groups: bool
    can_read_all_group_messages: bool


class ValidityOut(Output):
    """Whether Telegram accepts a token."""

    valid: bool
    code: str | None = Field(default=None, description="Why not")
    bot: BotIdentity | None = None


class SyncOut(Output):
    """What Telegram said."""

    complete: bool = Field(description="False where there was not the time to ask about every chat; ask again")
    telegram_bot: BotOut


class SeenChatOut(Output):
    """A chat that the bot could write to."""

    chat_id: str
    type: str = Field(examples=["supergroup"])
    title: str | None
    username: str | None
    thread_ids: list[str] = Field(description="Forum topics that were written in", examples=[["42"]])


class DiscoveryOut(Output):
    """Chats, and why there may be more."""

    chats: list[SeenChatOut]
    webhook_set: bool
    webhook_url: str | None
    note: str | None


class TokenIn(Input):
    """A token to ask Telegram about; it is not kept."""

    token: Token


class LookUpIn(TokenIn):
    """A chat to ask about."""

    chat: ChatId = Field(examples=["@example"])


class ChatOut(Output):
    """A chat as Telegram shows it to the bot."""

    chat_id: str
    type: str = Field(examples=["supergroup"])
    title: str | None
    username: str | None
    is_forum: bool


class WebhookIn(Input):
    """How to register or delete."""

    drop_pending: StrictBool = Field(default=False, description="Forget the updates that wait at Telegram")


class WebhookOut(Output):
    """What Telegram says of the bot's webhook."""

    url: str | None = Field(description="null where there is none")
    expected_url: str
    ours: bool
    pending: int
    last_error: str | None
    last_error_at: Instant | None


class Registered(Output):
    """Telegram delivers here from now on."""

    status: Success = "success"
    url: str


class Rotated(Output):
    """The secret is another one."""

    status: Success = "success"
    registered: bool = Field(description="Whether Telegram was told: false for a bot without a webhook here")


class Deleted(Output):
    """Telegram keeps the bot's updates now."""

    status: Success = "success"
