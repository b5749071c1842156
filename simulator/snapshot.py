"""Saving the world in a file, so that a restarted simulator still knows who started which bot."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from pathlib import Path
from typing import Any

import orjson

from simulator.accounts import saved as saved_accounts
from simulator.model import Bot, Chat, Member, Person, Record, StoredFile, Topic
from simulator.updates import Inbox, Webhook
from simulator.world import World

VERSION = 1
LARGEST_FILE = 2 * 1024 * 1024
"""Larger files are not saved: after a restart they can no longer be downloaded."""


def dump(world: World) -> bytes:
    """Everything worth keeping, as JSON. Log, faults and limits are not part of it."""
    now = time.monotonic()
    files = {
        key: {
            "name": kept.name,
            "mime_type": kept.mime_type,
            "data": base64.b64encode(kept.data).decode(),
            "path": kept.path,
            "kind": kept.kind,
            "file_id": kept.file_id,
            "unique_id": kept.unique_id,
            "width": kept.width,
            "height": kept.height,
        }
        for key, kept in world.files.items()
        if len(kept.data) <= LARGEST_FILE
    }
    inboxes = [
        {
            "bot_id": inbox.bot_id,
            "next_id": inbox.next_id,
            "allowed": inbox.allowed,
            "webhook": inbox.webhook,
            "pending": [
                [waiting.id, waiting.kind, waiting.body.decode(), waiting.queue, waiting.expires - now]
                for waiting in inbox.pending.values()
            ],
        }
        for inbox in world.inboxes.values()
    ]
    state = {
        "version": VERSION,
        "bots": list(world.bots_by_id.values()),
        "people": list(world.people.values()),
        "private": list(world.private.values()),
        "groups": list(world.groups.values()),
        "files": files,
        "inboxes": inboxes,
        "accounts": saved_accounts.dump(world.accounts),
    }
    return orjson.dumps(state, option=orjson.OPT_NON_STR_KEYS)


def load(world: World, saved: bytes) -> None:
    """Put what was saved into a world without people. Raises ValueError for another version or a damaged
    file.
    """
    state = orjson.loads(saved)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ValueError("this file was written by another version of the simulator")
    for fields in state["bots"]:
        if int(fields["id"]) not in world.bots_by_id:
            world.add_bot(fields["token"], fields["username"])
        present = world.bots_by_id[fields["id"]]
        token = present.token
        del world.bots[token]
        restored = Bot(**{**fields, "token": token, "username": present.username})
        world.bots[token] = world.bots_by_id[restored.id] = restored
    for fields in state["people"]:
        person = Person(**fields)
        world.add_person(person.first_name, person.id, **{key: fields[key] for key in _DETAILS})
    for fields in state["groups"]:
        empty = world.add_chat(fields["type"], fields["title"], fields["username"], fields["id"], fields["is_forum"])
        _fill(empty, fields)
    for fields in state["private"]:
        conversation = Chat(fields["id"], "private", bot_id=fields["bot_id"])
        _fill(conversation, fields)
        world.private[conversation.bot_id, conversation.id] = conversation
    for file_id, fields in state["files"].items():
        world.files[file_id] = StoredFile(**{**fields, "data": base64.b64decode(fields["data"])})
    for fields in state["inboxes"]:
        _fill_inbox(world.inboxes[fields["bot_id"]], fields)
    # A file of an older simulator has none.
    if "accounts" in state:
        saved_accounts.load(world.accounts, state["accounts"])


_DETAILS = ("last_name", "username", "language_code", "is_premium", "deactivated")


def _fill(chat: Chat, fields: dict[str, Any]) -> None:
    for name in ("started", "blocked", "migrated_to", "next_message_id"):
        setattr(chat, name, fields[name])
    chat.members = {int(key): Member(**member) for key, member in fields["members"].items()}
    chat.topics = {int(key): Topic(**topic) for key, topic in fields["topics"].items()}
    chat.records = {int(key): Record(**record) for key, record in fields["records"].items()}


def _fill_inbox(inbox: Inbox, fields: dict[str, Any]) -> None:
    inbox.next_id = fields["next_id"]
    inbox.allowed = fields["allowed"]
    inbox.webhook = Webhook(**fields["webhook"])
    for number, kind, body, queue, lifetime in fields["pending"]:
        inbox.add_raw(kind, body.encode(), queue, lifetime, update_id=number)


def save(world: World, path: Path) -> None:
    """Write the file as a whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dump(world))
    temporary.replace(path)
