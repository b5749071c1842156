"""The simulated world: who exists, where they talk, and what was said. One instance per simulator, all in
memory.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from typing import Any

from simulator.accounts.directory import Directory
from simulator.errors import invalid, not_found
from simulator.events import Broadcast
from simulator.model import JSON, Bot, Callback, Chat, Member, Person, Record, StoredFile, Topic
from simulator.settings import Settings
from simulator.updates import Inbox

FIRST_PERSON = 5_100_000_001
FIRST_GROUP = 4_100_000_001
FIRST_SUPERGROUP = 2_100_000_001
LARGEST_ID = 2**52 - 1
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
TOKEN = re.compile(r"[1-9][0-9]{0,15}:[A-Za-z0-9_-]{10,60}")


class World:
    """People, bots, chats, files. What changes what a phone shows is published to `events`."""

    def __init__(self, settings: Settings, seed: int | None = None) -> None:
        self.settings = settings
        self.random = random.Random(seed)  # noqa: S311 - ids of made-up things
        self.events = Broadcast()
        self.bots: dict[str, Bot] = {}
        self.bots_by_id: dict[int, Bot] = {}
        self.people: dict[int, Person] = {}
        self.private: dict[tuple[int, int], Chat] = {}
        self.groups: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.callbacks: dict[str, Callback] = {}
        self.inboxes: dict[int, Inbox] = {}
        self.accounts = Directory(self)
        self.changes = 0
        self._names: dict[str, int] = {}

    # ---- who exists

    def add_bot(self, token: str, username: str, first_name: str = "", privacy: bool = True) -> Bot:
        """A bot of this token. Raises ControlError 422 for a malformed or taken one."""
        if not TOKEN.fullmatch(token):
            raise invalid("a token is <digits>:<10 to 60 letters, digits, - and _>")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,31}", username):
            raise invalid("a bot's username has 4 to 32 letters, digits and _")
        bot_id = int(token.partition(":")[0])
        if bot_id in self.bots_by_id or bot_id in self.people or self.find_name(username) is not None:
            raise invalid("this token or username is taken")
        bot = Bot(bot_id, token, username, first_name or username, privacy)
        self.bots[token] = bot
        self.bots_by_id[bot_id] = bot
        self.inboxes[bot_id] = Inbox(bot_id)
        self._names[username.lower()] = bot_id
        self.touch()
        return bot

    def revoke_token(self, bot: Bot) -> str:
        """The old token answers 401 from now on; returns the new one."""
        del self.bots[bot.token]
        bot.token = f"{bot.id}:{secrets.token_urlsafe(26)}"
        self.bots[bot.token] = bot
        self.touch()
        return bot.token

    def add_person(self, first_name: str, person_id: int = 0, **details: Any) -> Person:
        """A person with a fresh id (beyond 32 bits, as real ones are), or the given one."""
        if not person_id:
            person_id = max([FIRST_PERSON - 1, *self.people]) + 1
        if person_id in self.people or person_id in self.bots_by_id or not 0 < person_id <= LARGEST_ID:
            raise invalid("this id is taken, not positive or beyond 52 bits")
        person = Person(person_id, first_name, **details)
        if person.username:
            if self.find_name(person.username) is not None:
                raise invalid("this username is taken")
            self._names[person.username.lower()] = person_id
        self.people[person_id] = person
        self.touch()
        return person

    def add_chat(self, kind: str, title: str, username: str = "", chat_id: int = 0, is_forum: bool = False) -> Chat:
        """An empty group, supergroup or channel."""
        if kind not in ("group", "supergroup", "channel"):
            raise invalid("type must be group, supergroup or channel")
        if is_forum and kind != "supergroup":
            raise invalid("only a supergroup can be a forum")
        if not chat_id:
            if kind == "group":
                chat_id = -FIRST_GROUP - sum(chat.type == "group" for chat in self.groups.values())
            else:
                chat_id = -(10**12) - FIRST_SUPERGROUP - sum(chat.type != "group" for chat in self.groups.values())
        if chat_id in self.groups or not -LARGEST_ID <= chat_id < 0:
            raise invalid("this id is taken, not negative or beyond 52 bits")
        chat = Chat(chat_id, kind, title, username, is_forum=is_forum)
        if is_forum:
            chat.topics[1] = Topic(1, "General")
            # A topic has the number of the message that made it: 1 is General's.
            chat.next_message_id = 2
        if username:
            if self.find_name(username) is not None:
                raise invalid("this username is taken")
            self._names[username.lower()] = chat_id
        self.groups[chat_id] = chat
        self.touch()
        return chat

    def rename(self, person: Person, username: str) -> None:
        """Give a person a username, taken from the person who has it. Raises ControlError 422 for a bot's or chat's."""
        holder = self.find_name(username) if username else None
        if holder is not None and holder not in self.people:
            raise invalid("this username is taken")
        if holder is not None:
            self.people[holder].username = ""
        if person.username:
            self._names.pop(person.username.lower(), None)
        person.username = username
        if username:
            self._names[username.lower()] = person.id
        self.touch()

    def find_name(self, username: str) -> int | None:
        """The id behind a username, with or without @."""
        return self._names.get(username.removeprefix("@").lower())

    def bot(self, reference: int | str | None) -> Bot:
        """A bot by id, username or token; None means the first. Raises ControlError 404."""
        if reference is None and self.bots_by_id:
            return next(iter(self.bots_by_id.values()))
        if isinstance(reference, str):
            if reference in self.bots:
                return self.bots[reference]
            reference = int(reference) if reference.isdecimal() else self.find_name(reference)
        if not isinstance(reference, int) or reference not in self.bots_by_id:
            raise not_found("this bot")
        return self.bots_by_id[reference]

    def person(self, reference: int | str) -> Person:
        """A person by id or username. Raises ControlError 404."""
        if isinstance(reference, str):
            person_id = int(reference) if reference.isdecimal() else self.find_name(reference)
        else:
            person_id = reference
        if not isinstance(person_id, int) or person_id not in self.people:
            raise not_found("this person")
        return self.people[person_id]

    def group(self, reference: int | str) -> Chat:
        """A group, supergroup or channel by id or username. Raises ControlError 404."""
        chat_id: int | None
        if isinstance(reference, str):
            number = re.fullmatch(r"-\d+", reference)
            chat_id = int(reference) if number else self.find_name(reference)
        else:
            chat_id = reference
        if not isinstance(chat_id, int) or chat_id not in self.groups:
            raise not_found("this chat")
        return self.groups[chat_id]

    def private_chat(self, bot: Bot, person: Person) -> Chat:
        """Their conversation; a new one has not been started."""
        chat = self.private.get((bot.id, person.id))
        if chat is None:
            chat = Chat(person.id, "private", bot_id=bot.id)
            chat.members[person.id] = Member("member")
            chat.members[bot.id] = Member("member")
            self.private[bot.id, person.id] = chat
        return chat

    # ---- what a client is shown

    def chat_info(self, chat: Chat) -> JSON:
        """The chat as a Bot API `Chat`."""
        if chat.type == "private":
            user = self.people[chat.id].user()
            shown: JSON = {"id": chat.id}
            shown |= {name: user[name] for name in ("first_name", "last_name", "username") if name in user}
            return {**shown, "type": "private"}
        info: JSON = {"id": chat.id, "title": chat.title, "type": chat.type}
        if chat.username:
            info["username"] = chat.username
        if chat.is_forum:
            info["is_forum"] = True
        if chat.type == "group":
            info["all_members_are_administrators"] = False
        return info

    def user_info(self, user_id: int) -> JSON:
        """A person or bot as a Bot API `User`."""
        if user_id in self.people:
            return self.people[user_id].user()
        if user_id in self.bots_by_id:
            return self.bots_by_id[user_id].user()
        raise not_found("this user")

    def known_user(self, bot: Bot, user_id: int) -> JSON | None:
        """Somebody whom a bot can mention, as a Bot API `User`: who wrote to it, or is in a chat with it."""
        if user_id == bot.id:
            return bot.user()
        person = self.people.get(user_id)
        if person is None:
            return None
        private = self.private.get((bot.id, user_id))
        met = private is not None and (private.started or bool(private.records))
        if not met and not any(chat.is_member(bot.id) and chat.is_member(user_id) for chat in self.groups.values()):
            return None
        return person.user()

    # ---- what was said

    def post(self, chat: Chat, sender: int, content: JSON, head: JSON, moment: int = 0) -> Record:
        """Put a message into a chat: its number, date and chat are added to `head` (who) and `content`
        (what).
        """
        if chat.type == "private":
            bot = self.bots_by_id[chat.bot_id]
            message_id = bot.next_message_id
            bot.next_message_id += 1
        else:
            message_id = chat.next_message_id
            chat.next_message_id += 1
        date = moment or int(time.time())
        message = {"message_id": message_id, **head, "chat": self.chat_info(chat), "date": date, **content}
        record = Record(message, sender)
        chat.records[message_id] = record
        self.changes += 1
        self.show("message", chat, message_id)
        return record

    def show(self, what: str, chat: Chat, message_id: int = 0, **more: Any) -> None:
        """Tell open phone pages that something about this chat is new."""
        self.changes += 1
        event = {"type": what, "chat_id": chat.id, "bot_id": chat.bot_id, "message_id": message_id, **more}
        self.events.publish(event)

    def touch(self) -> None:
        """People, bots or chats changed."""
        self.changes += 1
        self.events.publish({"type": "world"})

    # ---- what bots hear

    def queue_update(self, bot: Bot, kind: str, payload: Any, queue: str) -> None:
        """Queue an update for one bot."""
        self.changes += 1
        self.inboxes[bot.id].add(kind, payload, queue, self.settings.update_lifetime)

    def announce(self, chat: Chat, record: Record, kind: str = "message") -> None:
        """Queue a message for the bots of a chat that may see it (privacy mode, and never their own or
        another bot's).
        """
        if chat.type == "channel":
            kind = {"message": "channel_post", "edited_message": "edited_channel_post"}[kind]
        if record.sender in self.bots_by_id:
            return
        for member_id in list(chat.members):
            bot = self.bots_by_id.get(member_id)
            if bot is not None and chat.is_member(member_id) and self._sees(bot, chat, record):
                self.queue_update(bot, kind, record.message, f"chat {chat.id}")

    def _sees(self, bot: Bot, chat: Chat, record: Record) -> bool:
        if chat.type in ("private", "channel") or not bot.privacy or chat.is_admin(bot.id):
            return True
        message = record.message
        if "text" not in message and "caption" not in message and "photo" not in message and "document" not in message:
            return True
        replied = message.get("reply_to_message")
        if replied and replied.get("from", {}).get("id") == bot.id:
            return True
        text = message.get("text", "")
        command = re.match(r"/[A-Za-z0-9_]{1,64}(?:@(\w+))?(?:\s|$)", text)
        return command is not None and (command[1] is None or command[1].lower() == bot.username.lower())
