"""What the simulated world is made of: bots, people, chats, messages, files. Plain values only, so that all
of it can be saved.

Messages are kept as the JSON objects that the Bot API would show; what only the simulator knows about one
(deleted, a reply keyboard, how often edited) stands beside it in `Record`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

PRESENT = frozenset({"creator", "administrator", "member", "restricted"})


@dataclass(slots=True)
class Bot:
    """A bot account. `privacy` is BotFather's privacy mode: in groups it sees only what is meant for it."""

    id: int
    token: str
    username: str
    first_name: str
    privacy: bool = True
    can_join_groups: bool = True
    next_message_id: int = 1
    commands: dict[str, list[JSON]] = field(default_factory=dict)

    def user(self) -> JSON:
        """The bot as a Bot API `User`."""
        return {"id": self.id, "is_bot": True, "first_name": self.first_name, "username": self.username}


@dataclass(slots=True)
class Person:
    """Somebody with a Telegram account. All of them are made up."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    is_premium: bool = False
    deactivated: bool = False

    def user(self) -> JSON:
        """The person as a Bot API `User`; a deleted account has an empty name."""
        if self.deactivated:
            return {"id": self.id, "is_bot": False, "first_name": ""}
        user: JSON = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.last_name:
            user["last_name"] = self.last_name
        if self.username:
            user["username"] = self.username
        user["language_code"] = self.language_code
        if self.is_premium:
            user["is_premium"] = True
        return user


@dataclass(slots=True)
class Member:
    """Somebody's place in a group or channel. Status as in the Bot API; `title` is an administrator's."""

    status: str
    anonymous: bool = False
    title: str = ""
    can_send: bool = True
    forbidden: list[str] = field(default_factory=list)
    """Kinds of files that may not be sent: `photo`, `document`."""


@dataclass(slots=True)
class Topic:
    """A topic of a forum. Topic 1 is General and always there."""

    id: int
    name: str
    closed: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Record:
    """A message with what only the simulator knows about it."""

    message: JSON
    sender: int
    deleted: bool = False
    edits: int = 0
    keyboard: JSON | None = None


@dataclass(slots=True)
class Chat:
    """A private conversation of one bot with one person, a group, a supergroup or a channel.

    `id` is what the Bot API calls `chat_id`: in a private chat the person's id. `members` maps the ids of
    people and bots.
    """

    id: int
    type: str
    title: str = ""
    username: str = ""
    bot_id: int = 0
    is_forum: bool = False
    started: bool = False
    blocked: bool = False
    migrated_to: int = 0
    next_message_id: int = 1
    members: dict[int, Member] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)

    def noun(self) -> str:
        """How error texts call this kind of chat."""
        return f"{self.type} chat"

    def is_member(self, member_id: int) -> bool:
        """True while this person or bot is in the chat."""
        member = self.members.get(member_id)
        return member is not None and member.status in PRESENT

    def is_admin(self, member_id: int) -> bool:
        """True for the creator and the administrators."""
        member = self.members.get(member_id)
        return member is not None and member.status in ("creator", "administrator")


@dataclass(slots=True)
class StoredFile:
    """A file that was sent. `data` stays in memory; `path` is what getFile tells."""

    file_id: str
    unique_id: str
    name: str
    mime_type: str
    data: bytes
    path: str
    kind: str
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class Callback:
    """A pressed button: who, where, and what the bot answered (None until it did). `pressed_at` is monotonic
    seconds.
    """

    id: str
    bot_id: int
    person_id: int
    chat_id: int
    message_id: int
    data: str
    pressed_at: float
    answer: JSON | None = None
