"""What a provider tells us, as plain values: the events that a channel's `parse` returns.

Ids are strings, times aware UTC or None where the provider gave none. Texts hold no NUL and no lone
surrogate, so that they can be stored and sent as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ChatType = Literal["private", "group", "supergroup", "channel"]


@dataclass(frozen=True, slots=True)
class Chat:
    """Where something happened. `name` is the person's name in a private chat."""

    id: str
    type: ChatType
    title: str | None = None
    username: str | None = None
    name: str | None = None
    is_forum: bool = False

    @property
    def is_private(self) -> bool:
        """Whether the chat has exactly one other person."""
        return self.type == "private"

    @property
    def is_group(self) -> bool:
        """Whether several people write here."""
        return self.type in ("group", "supergroup")


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it, as the provider names them. `language` is an IETF tag."""

    id: str
    name: str
    username: str | None = None
    language: str | None = None
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """`/name@addressed_to payload`. The name is in lower case; `addressed_to` is None where none was
    named."""

    name: str
    addressed_to: str | None = None
    payload: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedMedia:
    """A file that somebody sent; fetched later by `external_file_id`. `size` is in bytes."""

    kind: str
    external_file_id: str
    unique_id: str | None = None
    filename: str | None = None
    mime: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """Somebody wrote. `text` is the text or the caption; `kind` is "text", a kind of media, or what else the
    message consists of ("location", "contact", …). `thread_id` is set only in a forum's topic. `anonymous`:
    written in the name of a chat, so `sender` tells nothing about who it was. `edited`: an earlier message's
    new text."""

    chat: Chat
    sender: Person | None
    message_id: str
    text: str = ""
    kind: str = "text"
    command: Command | None = None
    media: tuple[ReceivedMedia, ...] = ()
    thread_id: str | None = None
    forwarded: bool = False
    edited: bool = False
    channel_post: bool = False
    anonymous: bool = False
    reply_to: str | None = None
    date: datetime | None = None

    @property
    def proves_sender(self) -> bool:
        """Whether this person wrote exactly this, now and here: only such a message may redeem a token."""
        derived = self.forwarded or self.edited or self.channel_post or self.anonymous
        return self.sender is not None and not self.sender.is_bot and not derived


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """Somebody pressed a button of ours. `chat` and `message_id` are None where the provider no longer
    tells."""

    callback_id: str
    data: str
    person: Person
    chat: Chat | None = None
    message_id: str | None = None
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class MembershipChanged:
    """Our sender's status in a chat changed from `was` to `status`, both the provider's words. In a private
    chat "kicked" means that the person blocked us and "member" that we may write again."""

    chat: Chat
    status: str
    was: str | None = None
    by: Person | None = None
    date: datetime | None = None

    @property
    def can_write(self) -> bool:
        """Whether the new status lets us write there (a restricted member may or may not)."""
        return self.status not in ("kicked", "left")


@dataclass(frozen=True, slots=True)
class ChatMigrated:
    """A chat got another id. Reported from both sides, so it may come twice."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood as an event, of a kind nothing here reacts to. `kind` is the provider's word, bounded."""

    kind: str


@dataclass(frozen=True, slots=True)
class Parked:
    """Not understood at all: kept for a person to read. `reason` is a code."""

    reason: str
    detail: str = field(default="", repr=False)


InboundEvent = MessageReceived | ButtonPressed | MembershipChanged | ChatMigrated | Ignored | Parked
