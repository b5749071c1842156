"""The simulated Graph API put together: what exists, who may do what, the log, and how events reach applications."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from simulator.events import Broadcast
from simulator.graph.deliveries import Deliveries, Event
from simulator.graph.edges import EDGES, ROOT, GraphCall
from simulator.graph.errors import GraphError, no_object
from simulator.graph.faults import GraphFault, GraphFaults
from simulator.graph.model import JSON, Application, Contact, Message, Node, Settings, Token
from simulator.graph.rates import Rates
from simulator.journal import Journal

OBJECTS = {"waba": "whatsapp_business_account", "page": "page", "instagram": "instagram"}
"""What webhooks call the kinds of objects that have subscriptions."""


class Graph:
    """One simulated Graph API. Made and used on one event loop; `open` and `close` bracket its life."""

    def __init__(self, seed: int | None = None) -> None:
        self.settings = Settings()
        self.faults = GraphFaults()
        self.rates = Rates()
        self.journal = Journal(None)
        self.events = Broadcast()
        self.random = random.Random(seed)  # noqa: S311 - ids of made-up things
        self.deliveries = Deliveries(self.settings, self.unsubscribe)
        self.apps: dict[str, Application] = {}
        self.tokens: dict[str, Token] = {}
        self.nodes: dict[str, Node] = {}
        self.contacts: dict[str, Contact] = {}
        self.messages: dict[str, Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 0

    def open(self, session: aiohttp.ClientSession) -> None:
        """Start delivering."""
        self.session = session
        self.deliveries.open(session)

    async def close(self) -> None:
        """Stop delivering."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deliveries.close()
        self.journal.close()

    async def reset(self) -> None:
        """Nothing exists any more; settings are as at the start."""
        for task in list(self._tasks):
            task.cancel()
        await self.deliveries.close()
        self.settings = Settings()
        self.deliveries.settings = self.settings
        self.deliveries.log.clear()
        self.faults.rules.clear()
        self.rates.clear()
        self.journal.clear()
        for kept in (self.apps, self.tokens, self.nodes, self.contacts, self.messages):
            kept.clear()

    # ---- ids and times

    def new_id(self, digits: int = 15) -> str:
        """An id that nothing has yet."""
        self._last_id += 1
        return str(10 ** (digits - 1) + self._last_id * 7919 + self.random.randrange(7919))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after so many simulated seconds."""

        async def wait() -> None:
            await asyncio.sleep(max(seconds, 0.0) / self.settings.speed)
            action()

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- calls

    def token_of(self, value: str) -> Token:
        """The token of this value. Raises GraphError 190."""
        app_id, _, secret = value.partition("|")
        if secret and (app := self.apps.get(app_id)) is not None and app.secret == secret:
            return Token(value, app_id, kind="APP", subject_id=app_id)
        token = self.tokens.get(value)
        if token is None or not token.is_valid:
            raise GraphError(401, 190, "Invalid OAuth access token - Cannot parse access token")
        if token.expires_at and token.expires_at <= time.time():
            raise GraphError(401, 190, "Error validating access token: Session has expired", subcode=463)
        return token

    def node_of(self, name: str, token: Token) -> Node:
        """The object of an id or of `me`, where this token may see it. Raises GraphError 100."""
        name = token.subject_id if name == "me" else name
        if name in self.apps:
            return Node(name, "app", fields={"name": self.apps[name].name})
        node = self.nodes.get(name)
        if node is None or (token.object_ids and not self._may_see(token, node)):
            raise no_object(name)
        return node

    def _may_see(self, token: Token, node: Node) -> bool:
        return any(allowed in (node.id, node.parent_id) for allowed in token.object_ids)

    async def run(self, call: GraphCall, fault: GraphFault | None = None) -> JSON:
        """The answer of a call; accepted or refused, it is logged. Raises GraphError."""
        handler = EDGES.get((call.verb, call.node.kind, call.edge))
        try:
            if fault is not None and fault.kind == "error":
                raise GraphError(fault.status, fault.code, fault.message, subcode=fault.subcode, details=fault.details)
            if handler is None:
                raise GraphError(400, 2500, f"Unknown path components: /{call.edge}")
            answer = handler(call)
            if inspect.isawaitable(answer):
                answer = await answer
        except GraphError as error:
            self._log(call, "rejected", {"code": error.code, "message": error.message})
            raise
        self._log(call, "accepted", {"id": call.accepted_id} if call.accepted_id else {})
        return answer

    def _log(self, call: GraphCall, outcome: str, more: JSON) -> None:
        node_id = "" if call.node.kind == ROOT else call.node.id
        entry = {"outcome": outcome, "call": call.name, "node": node_id, "params": call.params}
        if call.files:
            entry["files"] = {name: len(file.data) for name, file in call.files.items()}
        self.journal.append(entry | more)

    # ---- webhooks

    def emit(self, node: Node, field: str, slot: str, value: JSON, *, override: str = "") -> int:
        """Tell every application that is subscribed to the object; how many they were. `node` is a business account, a
        page or an Instagram account; `slot` is `changes`, `messaging` or `standby`; `override` is another address."""
        notified, object_name = 0, OBJECTS[node.kind]
        for app_id, callback in node.subscribed.items():
            app = self.apps.get(app_id)
            subscription = app.subscriptions.get(object_name) if app is not None else None
            if app is None or subscription is None:
                continue
            wanted = callback.fields or subscription.fields
            url = override or callback.override_url or subscription.url
            if not subscription.active or (wanted and field not in wanted):
                continue
            self.deliveries.add(app, url, Event(object_name, node.id, slot, value))
            notified += 1
        return notified

    def unsubscribe(self, app: Application, node_id: str) -> None:
        """An application no longer hears of an object: its deliveries failed for an hour."""
        node = self.nodes.get(node_id)
        page = self.nodes.get(node.parent_id) if node is not None and node.kind == "instagram" else None
        for each in (node, page):
            if each is not None:
                each.subscribed.pop(app.id, None)
        self.journal.append({"outcome": "unsubscribed", "call": "webhooks disabled", "node": node_id, "app": app.id})

    async def handshake(self, url: str, verify_token: str) -> None:
        """Ask an address for the challenge, as before a subscription. Raises GraphError 100 (subcode 2200)."""
        challenge = str(self.random.randrange(10**9, 10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        problem = ""
        try:
            async with self.session.get(
                url, params=query, timeout=aiohttp.ClientTimeout(total=10), allow_redirects=False
            ) as response:
                given = await response.text()
                if response.status != 200 or given != challenge:
                    problem = f"HTTP Status Code = {response.status}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            problem = type(error).__name__
        if problem:
            message = "Callback verification failed with the following errors: " + problem
            raise GraphError(400, 2200, message, subcode=1929002)

    # ---- conversations

    def add_message(self, message: Message) -> Message:
        """Keeps a message and shows it on open phone pages."""
        self.messages[message.id] = message
        self.show(message)
        return message

    def show(self, message: Message) -> None:
        """Tells open phone pages that a message is new or has changed."""
        change: dict[str, Any] = {"type": "graph_message", "node": message.node_id, "contact": message.contact_id}
        self.events.publish(change | {"message_id": message.id})
