"""What a provider tells us, as plain values: the events that a channel's `parse` returns.

Ids are strings, times aware UTC or None where the provider gave none. Texts hold no NUL and no lone
surrogate, so that they can be stored and sent as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from backend.channels.inbound_contents import Choice, ContactCard, Location, Order, Referral, Share, Story

ChatType = Literal["private", "group", "supergroup", "channel"]
ReceiptState = Literal["accepted", "sent", "delivered", "read", "played", "failed"]


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
class PersonId:
    """One of several ids that a provider has for a person; `kind` is the provider's word for it."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it, as the provider names them. `language` is an IETF tag. `other_ids` are further ids of the same one;
    `phone` is a number that the provider vouches for, in digits with a plus sign."""

    id: str
    name: str
    username: str | None = None
    language: str | None = None
    is_bot: bool = False
    other_ids: tuple[PersonId, ...] = ()
    phone: str | None = None


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
    """Somebody wrote. `text` is the text or the caption; `kind` is "text", a kind of media ("photo", "video", "audio",
    "voice", "document", "sticker"), or what else the message consists of ("location", "contacts", "choice", "order",
    "story", "share", "referral", …); "unsupported" is one that cannot be shown. `thread_id` is set only in a forum's
    topic. `anonymous`: written in the name of a chat, so `sender` tells nothing about who it was. `edited`: an earlier
    message's new text. `standby`: another application is in charge of the chat, so it is shown and never answered.
    `automatic`: an away message or a greeting, which the provider sent in the person's name. `provider_kind` is the
    provider's word for one that cannot be shown."""

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
    standby: bool = False
    automatic: bool = False
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    choice: Choice | None = None
    order: Order | None = None
    referral: Referral | None = None
    story: Story | None = None
    shares: tuple[Share, ...] = ()
    provider_kind: str = ""

    @property
    def proves_sender(self) -> bool:
        """Whether this person wrote exactly this, now and here: only such a message may redeem a token."""
        derived = self.forwarded or self.edited or self.channel_post or self.anonymous
        return self.sender is not None and not self.sender.is_bot and not derived


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """Somebody pressed one of our buttons. `chat` and `message_id` are None where the provider no longer
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
class ReactionChanged:
    """Somebody reacted to a message; `emoji` is None where the reaction was taken back."""

    chat: Chat
    person: Person | None
    message_id: str
    emoji: str | None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """Messages were taken back. `chat` is None where the provider tells only their ids."""

    message_ids: tuple[str, ...]
    chat: Chat | None = None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReceiptReceived:
    """What became of one of our messages, found by the provider's id of it alone.

    `code` and `detail` say why it failed. `client_ref` is our own id of the operation, where the provider echoes it.
    `category` and `is_free` are the price's.
    """

    message_id: str
    state: ReceiptState
    date: datetime | None = None
    code: str | None = None
    detail: str = field(default="", repr=False)
    client_ref: str | None = None
    category: str | None = None
    is_free: bool | None = None


@dataclass(frozen=True, slots=True)
class WatermarkReceived:
    """All our messages in a chat up to this moment have reached a state."""

    chat: Chat
    state: Literal["delivered", "read"]
    until: datetime


@dataclass(frozen=True, slots=True)
class ReadMarkReceived:
    """The other side has read a chat up to and with this message."""

    chat: Chat
    up_to: str
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class EchoReceived:
    """A message went out in our sender's name: by us, by a person in the provider's own application (`sender` of the
    message is None), or by another application. `client_ref` is our own id of the operation where the provider echoes
    it; `application_id` names who sent it."""

    message: MessageReceived
    client_ref: str | None = None
    application_id: str | None = None


@dataclass(frozen=True, slots=True)
class OptOutChanged:
    """Somebody no longer wants messages of a kind, or wants them again; `topic` is empty for all of them."""

    chat: Chat
    person: Person | None
    opted_out: bool
    topic: str = ""
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class ThreadControlChanged:
    """Who answers in a chat: we, another application, or a person in the provider's own inbox."""

    chat: Chat
    in_charge: Literal["us", "other", "page_inbox"]
    application_id: str | None = None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """A person has further or other ids: `old` and `new` are the same person's."""

    old: tuple[PersonId, ...]
    new: tuple[PersonId, ...]
    name: str = ""
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Something about our sender changed: its quality, its limits, a template's state. `kind` is the provider's word,
    `facts` plain JSON."""

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallReceived:
    """Somebody called, or a call ended; `state` is the provider's word, `seconds` how long they spoke."""

    chat: Chat
    person: Person | None
    call_id: str
    state: str
    seconds: int | None = None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood as an event, of a kind nothing here reacts to. `kind` is the provider's word, bounded."""

    kind: str


@dataclass(frozen=True, slots=True)
class Parked:
    """Not understood at all: kept for a person to read. `reason` is a code."""

    reason: str
    detail: str = field(default="", repr=False)


InboundEvent = (
    MessageReceived
    | ButtonPressed
    | MembershipChanged
    | ChatMigrated
    | ReactionChanged
    | MessageDeleted
    | ReceiptReceived
    | WatermarkReceived
    | ReadMarkReceived
    | EchoReceived
    | OptOutChanged
    | ThreadControlChanged
    | IdentityChanged
    | AccountChanged
    | CallReceived
    | Ignored
    | Parked
)
