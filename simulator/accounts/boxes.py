"""Private chats between people: each message stands in both boxes, under numbers of each. Every change moves the
`pts` of the accounts that see it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from simulator.accounts.directory import SERVICE, Directory
from simulator.accounts.model import Account, Event, Message

AWAY_AFTER = 0.05


@dataclass(slots=True)
class Draft:
    """What somebody wants to send. `reply_to` is a message of the sender's own box."""

    text: str
    entities: list[str] = field(default_factory=list)
    file: int = 0
    reply_to: int = 0
    offline: bool = False
    business_bot: int = 0
    call: bool = False


def record(directory: Directory, account: Account, kind: str, peer: int, count: int = 1, **values: Any) -> Event:
    """Move the account on by `count` and tell its devices and its phone."""
    account.pts += count
    event = Event(account.pts, count, kind, peer, **values)
    account.events.append(event)
    directory.world.changes += 1
    directory.listener(account, event)
    directory.world.events.publish({"type": "private", "what": kind, "account": account.id, "peer": peer})
    return event


def post(directory: Directory, sender: Account, target: Account, draft: Draft) -> Message:
    """Put a message into both boxes, or only the sender's where the other side blocked it. Returns the sender's copy,
    which both sides' devices have heard of.
    """
    directory.last_uid += 1
    uid, now = directory.last_uid, int(time.time())
    hears = sender.id not in target.blocked or sender is target
    boxes = [(sender, target.id, True)]
    if sender is not target and hears:
        boxes.append((target, sender.id, False))
    original = sender.messages.get(draft.reply_to)
    copies = []
    for box, peer, out in boxes:
        replied = box.numbers.get(original.uid, 0) if original is not None else 0
        number = box.next_message_id
        box.next_message_id += 1
        copy = Message(
            number,
            uid,
            peer,
            out,
            now,
            draft.text,
            list(draft.entities),
            draft.file,
            replied,
            offline=draft.offline,
            business_bot=draft.business_bot,
            call=draft.call,
        )
        box.add(copy)
        copies.append((box, copy))
    for box, copy in copies:
        record(directory, box, "new", copy.peer, messages=[copy.id])
    if len(copies) == 2 and target.conduct.away_text and not draft.offline and sender.id != SERVICE:
        answer = Draft(target.conduct.away_text, offline=True, business_bot=target.conduct.away_bot)
        directory.later(AWAY_AFTER, lambda: _answer_away(directory, target, sender, answer))
    return copies[0][1]


def _answer_away(directory: Directory, owner: Account, writer: Account, answer: Draft) -> None:
    if writer.id not in owner.blocked and owner.id not in writer.blocked:
        post(directory, owner, writer, answer)


def copies_of(directory: Directory, message: Message, owner: Account) -> list[tuple[Account, Message]]:
    """The message in both boxes, its owner's first."""
    copies = [(owner, message)]
    other = directory.accounts.get(message.peer)
    if other is not None and other is not owner and message.uid in other.numbers:
        copies.append((other, other.messages[other.numbers[message.uid]]))
    return copies


def edit(directory: Directory, owner: Account, message: Message, text: str, entities: list[str]) -> None:
    """Change the text of a message on both sides."""
    now = int(time.time())
    for box, copy in copies_of(directory, message, owner):
        copy.text, copy.entities, copy.edit_date = text, list(entities), now
        record(directory, box, "edit", copy.peer, messages=[copy.id])


def react(directory: Directory, owner: Account, message: Message, emoji: str) -> None:
    """Put a reaction under a message, or take it away with ""."""
    for box, copy in copies_of(directory, message, owner):
        if emoji:
            copy.reactions[owner.id] = emoji
        else:
            copy.reactions.pop(owner.id, None)
        record(directory, box, "reaction", copy.peer, messages=[copy.id])


def delete(directory: Directory, owner: Account, messages: list[Message], *, everywhere: bool) -> Event | None:
    """Delete messages of the owner's box, with `everywhere` the other side's copies too. Returns the owner's event,
    None when there was nothing to delete.
    """
    gone: dict[int, list[Message]] = {}
    for message in messages:
        for box, copy in copies_of(directory, message, owner)[: None if everywhere else 1]:
            gone.setdefault(box.id, []).append(copy)
    first = None
    for account_id, copies in gone.items():
        box = directory.account(account_id)
        for copy in copies:
            box.remove(copy)
        numbers = [copy.id for copy in copies]
        event = record(directory, box, "delete", copies[0].peer, len(numbers), messages=numbers)
        first = event if box is owner else first
    return first


def read(directory: Directory, reader: Account, writer: Account, up_to: int = 0) -> Event | None:
    """The reader has seen the writer's messages, up to one of the reader's own numbers (0: all). Returns the reader's
    event, None when there was nothing new.
    """
    incoming = [reader.messages[number] for number in reader.chats.get(writer.id, []) if not up_to or number <= up_to]
    seen = reader.read_inbox.get(writer.id, 0)
    fresh = [message for message in incoming if not message.out and message.id > seen]
    if not fresh:
        return None
    reader.read_inbox[writer.id] = fresh[-1].id
    event = record(directory, reader, "read_inbox", writer.id, max_id=fresh[-1].id)
    now = int(time.time())
    sent = [writer.messages[writer.numbers[each.uid]] for each in fresh if each.uid in writer.numbers]
    for message in sent:
        message.read_at = now
    if sent and writer is not reader:
        writer.read_outbox[reader.id] = max(message.id for message in sent)
        record(directory, writer, "read_outbox", reader.id, max_id=writer.read_outbox[reader.id])
    return event


def service_message(directory: Directory, account: Account, text: str) -> Message:
    """What Telegram itself writes to an account."""
    return post(directory, directory.account(SERVICE), account, Draft(text))
