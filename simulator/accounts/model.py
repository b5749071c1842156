"""What accounts are made of. Plain values only, so that all of it can be saved."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Message:
    """One account's copy of a message: each side numbers its own, `uid` joins them.

    `peer` is the other person; dates are Unix seconds; `entities` are serialized, in hexadecimal digits; `file` is
    the number of a stored document, 0 for none. `read_at` is when the other side read an outgoing one. `reactions`
    maps who reacted to the emoji. `call`: it is a call that was not answered, and has no text.
    """

    id: int
    uid: int
    peer: int
    out: bool
    date: int
    text: str
    entities: list[str] = field(default_factory=list)
    file: int = 0
    reply_to: int = 0
    edit_date: int = 0
    read_at: int = 0
    offline: bool = False
    business_bot: int = 0
    call: bool = False
    reactions: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Event:
    """A change that an account's devices hear of: after it the account stands at `pts`, `count` further than before.

    `kind` is new, edit, reaction, delete, read_inbox (the account read) or read_outbox (the other side did).
    """

    pts: int
    count: int
    kind: str
    peer: int
    messages: list[int] = field(default_factory=list)
    max_id: int = 0


@dataclass(slots=True)
class Conduct:
    """How Telegram treats an account, and how its owner treats others. Changed by the control API.

    `limited`: "" (not), "strangers" (PEER_FLOOD) or "all" (USER_RESTRICTED). The frozen times are Unix seconds, 0 for
    an account that is not frozen. `login`: how the code comes: app, sms, email, email_setup or payment. `accepts`:
    whose first message is let through: everybody, nobody, premium or paid (for `stars`); `refusal_code` is the code of
    that refusal, 403 or 406. `revoke_after_login`: seconds, 0 for never. `away_text` answers by itself, sent by the
    business bot `away_bot` unless that is 0.
    """

    banned: bool = False
    limited: str = ""
    frozen_since: int = 0
    frozen_until: int = 0
    appeal_url: str = ""
    import_limited: bool = False
    login: str = "app"
    email: str = ""
    unconfirmed_logins: bool = False
    revoke_after_login: float = 0.0
    hides_number: bool = False
    hides_read_time: bool = False
    accepts: str = "everybody"
    stars: int = 0
    refusal_code: int = 403
    blocks_silently: bool = True
    away_text: str = ""
    away_bot: int = 0


CHOICES = {
    "limited": ("", "strangers", "all"),
    "login": ("app", "sms", "email", "email_setup", "payment"),
    "accepts": ("everybody", "nobody", "premium", "paid"),
    "refusal_code": (403, 406),
}


@dataclass(slots=True)
class Account:
    """A person on Telegram. `phone` has digits only, "" where nobody can log in; `dc` is where the account lives.

    `sent` maps each `random_id` that was accepted to (message id, Unix seconds); `contacts` maps people to the names
    that the account gave them; `read_inbox` and `read_outbox` map people to the last message read.
    """

    id: int
    phone: str = ""
    password: str = ""
    hint: str = ""
    about: str = ""
    dc: int = 2
    pts: int = 1
    next_message_id: int = 1
    conduct: Conduct = field(default_factory=Conduct)
    messages: dict[int, Message] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    sent: dict[int, tuple[int, float]] = field(default_factory=dict)
    contacts: dict[int, tuple[str, str]] = field(default_factory=dict)
    blocked: list[int] = field(default_factory=list)
    read_inbox: dict[int, int] = field(default_factory=dict)
    read_outbox: dict[int, int] = field(default_factory=dict)
    chats: dict[int, list[int]] = field(default_factory=dict)
    """The ids of each chat's messages in order; built again when saved ones are loaded."""
    numbers: dict[int, int] = field(default_factory=dict)
    """Which of its own messages is the copy of a `uid`; built again as well."""
    in_work: set[int] = field(default_factory=set)
    """`random_id`s of sends that were begun and not yet carried out."""
    looked_up_at: float = 0.0
    """When the account last asked for the owner of a number, in monotonic seconds; not saved."""

    def add(self, message: Message) -> None:
        """Put a message into the box."""
        self.messages[message.id] = message
        self.chats.setdefault(message.peer, []).append(message.id)
        self.numbers[message.uid] = message.id

    def remove(self, message: Message) -> None:
        """Take a message out of the box."""
        del self.messages[message.id]
        del self.numbers[message.uid]
        self.chats[message.peer].remove(message.id)

    def has_heard_from(self, person: int) -> bool:
        """True when this person wrote to the account."""
        return any(not self.messages[number].out for number in self.chats.get(person, []))

    def unread(self, person: int) -> int:
        """How many of this person's messages the account has not read."""
        last = self.read_inbox.get(person, 0)
        return sum(number > last and not self.messages[number].out for number in self.chats.get(person, []))


@dataclass(slots=True)
class AuthKey:
    """A client's key, made by the key exchange, with the login that it carries.

    `account` is 0 until somebody logged in; `awaiting_password` is whose password is wanted. `refused` is the error
    that every call gets from now on. `hash` names the login to the account's other devices. Times are Unix seconds.
    """

    id: int
    key: str
    dc: int
    salt: int
    account: int = 0
    awaiting_password: int = 0
    refused: str = ""
    hash: int = 0
    unconfirmed: bool = False
    api_id: int = 0
    device: str = ""
    system: str = ""
    application: str = ""
    created: int = 0
    active: int = 0
    token: str = ""


@dataclass(slots=True)
class Code:
    """A login code: for which phone, by which `via` (app, sms, email), when (Unix seconds)."""

    phone: str
    hash: str
    code: str
    via: str
    at: int
    used: bool = False
    ended: bool = False


@dataclass(slots=True)
class Document:
    """A file that an account sent; `attributes` are serialized, in hexadecimal digits. `kind` is one of KINDS; width
    and height are a photo's, in pixels.
    """

    id: int
    name: str
    mime_type: str
    data: bytes
    date: int
    attributes: list[str] = field(default_factory=list)
    reference: str = ""
    kind: str = "document"
    width: int = 0
    height: int = 0


KINDS = ("document", "photo", "voice", "audio", "video")
