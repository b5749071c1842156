"""A bot's inbox: the updates it has not taken yet, its webhook, and who is waiting for them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

OPT_IN = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FUTURE = 10
"""How far beyond the next id an offset may lie; one further away is from elsewhere and confirms nothing."""
KNOWN = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
    "guest_message",
    "subscription",
)


@dataclass(slots=True)
class Pending:
    """An update waiting for its bot. `body` is the JSON as sent; `queue` names what it must stay in order
    with.
    """

    id: int
    kind: str
    body: bytes
    queue: str
    expires: float


@dataclass(slots=True)
class Webhook:
    """What setWebhook stored, and how deliveries went. `last_error_date` is Unix seconds."""

    url: str = ""
    secret: str = ""
    max_connections: int = 40
    has_custom_certificate: bool = False
    ip_address: str = ""
    last_error_date: int = 0
    last_error_message: str = ""


@dataclass(slots=True)
class Inbox:
    """Updates in order. Ids rise by one from a random start."""

    bot_id: int
    next_id: int = field(default_factory=lambda: random.randrange(100_000_000, 900_000_000))  # noqa: S311
    allowed: list[str] | None = None
    """None: all kinds but the opt-in ones."""
    webhook: Webhook = field(default_factory=Webhook)
    pending: dict[int, Pending] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    poll: int = 0
    poll_ended_by: str = ""
    on_update: Callable[[Pending], None] | None = None

    def allows(self, kind: str) -> bool:
        """True when the bot asked for updates of this kind; an empty or absent list means all but the opt-in
        ones.
        """
        if not self.allowed:
            return kind not in OPT_IN
        return kind in self.allowed or kind not in KNOWN

    def allow(self, given: Any) -> None:
        """What `allowed_updates` chose: kinds in any case, unknown ones left out; of none at all the usual
        ones. Anything but a list of texts leaves the choice as it was.
        """
        if not isinstance(given, list) or not all(isinstance(kind, str) for kind in given):
            return
        named = {kind.lower() for kind in given}
        chosen = [kind for kind in KNOWN if kind in named]
        usual = [kind for kind in KNOWN if kind not in OPT_IN]
        self.allowed = None if chosen in ([], usual) else chosen

    def add(self, kind: str, payload: Any, queue: str, lifetime: float) -> Pending | None:
        """Queue an update with the next id. None when the bot did not ask for this kind: it is then never
        made.
        """
        if not self.allows(kind):
            return None
        body = orjson.dumps({"update_id": self.free_id(), kind: payload})
        return self.add_raw(kind, body, queue, lifetime)

    def free_id(self) -> int:
        """The next id, beyond those that were queued under a number of their own and still wait."""
        while self.next_id in self.pending:
            self.next_id += 1
        return self.next_id

    def add_raw(self, kind: str, body: bytes, queue: str, lifetime: float, update_id: int | None = None) -> Pending:
        """Queue a body as it is, under the next id or a given one."""
        number = self.free_id() if update_id is None else update_id
        if update_id is None:
            self.next_id += 1
        pending = Pending(number, kind, body, queue, time.monotonic() + lifetime)
        self.pending[number] = pending
        self.arrived.set()
        if self.on_update is not None:
            self.on_update(pending)
        return pending

    def forget(self, update_id: int) -> None:
        """The update was taken, or expired."""
        self.pending.pop(update_id, None)

    def drop_all(self) -> int:
        """Throw all waiting updates away; returns how many there were."""
        count = len(self.pending)
        self.pending.clear()
        return count

    def confirm_below(self, offset: int) -> None:
        """getUpdates' offset: everything below is done; a negative one keeps only the last `-offset`. One that
        no update can have had so far is from another server, and changes nothing.
        """
        if offset > max(self.next_id, *self.pending, 0) + FUTURE:
            return
        if offset > 0:
            for number in [number for number in self.pending if number < offset]:
                del self.pending[number]
        elif offset < 0:
            for number in list(self.pending)[:offset]:
                del self.pending[number]

    def expire(self, now: float) -> None:
        """Drop what nobody took within its lifetime; `now` is monotonic."""
        for number in [number for number, pending in self.pending.items() if pending.expires <= now]:
            del self.pending[number]

    def interrupt_poll(self, reason: str) -> int:
        """End a running getUpdates, if any, with a 409 that says `reason`; returns the number of the poll
        that may run now.
        """
        self.poll += 1
        self.poll_ended_by = reason
        self.arrived.set()
        return self.poll
