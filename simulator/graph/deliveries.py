"""Signed webhook deliveries: in batches, again until a 200, and an end of the subscription after an hour of failures.

What is refused does not hold up what comes after it: Meta promises no order. Pages and Instagram accounts lose their
subscription when every delivery has failed for an hour; WhatsApp keeps trying.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from simulator.graph.model import JSON, Application, Settings

KEPT_DELIVERIES = 5_000
MAX_BATCH = 1_000
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 600.0
_UNSUBSCRIBED = ("page", "instagram")


@dataclass(slots=True)
class Event:
    """One item for an application: `slot` is the list of the entry that it stands in (`changes`, `messaging`,
    `standby`), `node_id` the object whose entry it is."""

    object: str
    node_id: str
    slot: str
    value: JSON


@dataclass(slots=True)
class Delivery:
    """One body on its way to an address."""

    app: Application
    url: str
    object: str
    node_ids: list[str]
    body: bytes
    items: int
    since: float = field(default_factory=time.monotonic)
    tries: int = 0


def write(value: Any, *, escape: bool) -> bytes:
    """A body as Meta writes it: letters beyond ASCII, slashes, `<`, `%` and `@` escaped; or plainly."""
    if not escape:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>%@&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text.replace("/", "\\/").encode()


def signature(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def assemble(events: list[Event], at: float) -> JSON:
    """The body of these events, all of one kind of object: an entry per object, in the order of their first event."""
    entries: dict[tuple[str, str], JSON] = {}
    for event in events:
        slot = "messaging" if event.slot == "messaging" else event.slot
        entry = entries.setdefault((event.node_id, slot), {"id": event.node_id, "time": int(at)})
        if event.object == "whatsapp_business_account":
            entry.pop("time", None)
        entry.setdefault(slot, []).append(event.value)
    return {"object": events[0].object, "entry": list(entries.values())}


class Deliveries:
    """What waits for each address, and what became of it. `unsubscribe(app, node_id)` is notified of an object whose
    deliveries failed for too long."""

    def __init__(self, settings: Settings, unsubscribe: Callable[[Application, str], None]) -> None:
        self.settings = settings
        self.log: deque[JSON] = deque(maxlen=KEPT_DELIVERIES)
        self._unsubscribe = unsubscribe
        self._session: aiohttp.ClientSession | None = None
        self._waiting: dict[tuple[str, str, str], deque[Event]] = defaultdict(deque)
        self._apps: dict[str, Application] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders: set[tuple[str, str, str]] = set()
        self._failing_since: dict[tuple[str, str], float] = {}
        self._dropped: set[tuple[str, str]] = set()
        self.under_way = 0

    def open(self, session: aiohttp.ClientSession) -> None:
        """Deliver by this session from now on."""
        self._session = session

    async def close(self) -> None:
        """Stop at once."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        self._waiting.clear()
        self._senders.clear()
        self._failing_since.clear()
        self.under_way = 0

    def add(self, app: Application, url: str, event: Event) -> None:
        """Queue an event for an application's address."""
        key = (app.id, url, event.object)
        self._apps[app.id] = app
        self._dropped.discard((app.id, event.node_id))
        self._waiting[key].append(event)
        if key not in self._senders and self._session is not None:
            self._senders.add(key)
            self._spawn(self._send(key))

    def push(self, app: Application, url: str, body: bytes, *, signed_with: str | None = None, items: int = 1) -> None:
        """Deliver these bytes as they are, in no batch."""
        self._apps[app.id] = app
        delivery = Delivery(app, url, "", [], body, items)
        self._spawn(self._deliver(delivery, signed_with))

    @property
    def waiting(self) -> int:
        """Events that no address has accepted yet."""
        return sum(map(len, self._waiting.values())) + self.under_way

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, key: tuple[str, str, str]) -> None:
        app_id, url, _ = key
        queue = self._waiting[key]
        try:
            while queue:
                if self.settings.batch_wait and len(queue) < self.settings.batch_items:
                    await asyncio.sleep(self.settings.batch_wait / self.settings.speed)
                most = max(1, min(self.settings.batch_items, MAX_BATCH))
                events = [queue.popleft() for _ in range(min(len(queue), most))]
                body = write(assemble(events, time.time()), escape=self.settings.escape)
                nodes = list(dict.fromkeys(event.node_id for event in events))
                delivery = Delivery(self._apps[app_id], url, events[0].object, nodes, body, len(events))
                self.under_way += len(events)
                if not await self._post(delivery, None):
                    self._spawn(self._again(delivery, None))
                else:
                    self.under_way -= len(events)
        finally:
            self._senders.discard(key)

    async def _deliver(self, delivery: Delivery, secret: str | None) -> None:
        self.under_way += delivery.items
        if await self._post(delivery, secret):
            self.under_way -= delivery.items
            return
        await self._again(delivery, secret)

    async def _again(self, delivery: Delivery, secret: str | None) -> None:
        while True:
            wait = min(_FIRST_WAIT * 2 ** (delivery.tries - 1), _LONGEST_WAIT)
            await asyncio.sleep(wait / self.settings.speed)
            if time.monotonic() - delivery.since > self.settings.retry_for / self.settings.speed:
                break
            if any((delivery.app.id, node_id) in self._dropped for node_id in delivery.node_ids):
                break
            if await self._post(delivery, secret):
                break
        self.under_way -= delivery.items

    async def _post(self, delivery: Delivery, secret: str | None) -> bool:
        assert self._session is not None
        delivery.tries += 1
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": signature(delivery.app.secret if secret is None else secret, delivery.body),
            "User-Agent": "facebookexternalua",
        }
        status, error, started = 0, "", time.monotonic()
        try:
            async with self._session.post(
                delivery.url,
                data=delivery.body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.settings.delivery_timeout),
            ) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as problem:
            error = type(problem).__name__
        self.log.append(
            {
                "app_id": delivery.app.id,
                "url": delivery.url,
                "object": delivery.object,
                "node_ids": delivery.node_ids,
                "items": delivery.items,
                "bytes": len(delivery.body),
                "try": delivery.tries,
                "status": status,
                "error": error,
                "took": time.monotonic() - started,
                "monotonic": started,
            }
        )
        self._judge(delivery, delivered=status == 200)
        return status == 200

    def _judge(self, delivery: Delivery, *, delivered: bool) -> None:
        for node_id in delivery.node_ids:
            key = (delivery.app.id, node_id)
            if delivered:
                self._failing_since.pop(key, None)
                continue
            since = self._failing_since.setdefault(key, time.monotonic())
            too_long = time.monotonic() - since >= self.settings.unsubscribe_after / self.settings.speed
            if too_long and delivery.object in _UNSUBSCRIBED:
                self._dropped.add(key)
                self._failing_since.pop(key)
                self._unsubscribe(delivery.app, node_id)
