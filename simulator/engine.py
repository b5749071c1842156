"""The simulator's parts put together: the world, the log, the limits, the faults, and the running of a Bot
API call.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from simulator.accounts.faults import AccountFaults
from simulator.accounts.settings import AccountSettings
from simulator.errors import ApiError, bad_request
from simulator.faults import Fault, Faults
from simulator.files import FileStore
from simulator.graph.graph import Graph
from simulator.journal import Journal
from simulator.llm.script import Script
from simulator.methods import NAMES, Context, registry
from simulator.methods.media import FETCHING, addresses
from simulator.methods.updates import (
    answer,
    answer_bytes,
    delete_webhook,
    get_updates,
    set_webhook,
    webhook_info,
)
from simulator.model import Bot
from simulator.parameters import Call, Upload
from simulator.rates import Limiter
from simulator.settings import Settings
from simulator.sheet import Sheet
from simulator.webhooks import WebhookSender
from simulator.world import TOKEN, World

if TYPE_CHECKING:
    from simulator.mtproto.server import Server

WAITING = frozenset({"getupdates", "setwebhook", "deletewebhook", "getwebhookinfo", "logout", "close"})
LIMITED = frozenset({"sendmessage", "sendphoto", "senddocument", "sendmediagroup"})
LIMITED |= {"forwardmessage", "forwardmessages", "copymessage", "copymessages"}


class Engine:
    """One simulator. Made and used on one event loop; `open` and `close` bracket its life."""

    def __init__(
        self,
        settings: Settings | None = None,
        log_path: str | None = None,
        seed: int | None = None,
        account_log_path: str | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.journal = Journal(log_path)
        self.faults = Faults()
        self.limiter = Limiter()
        self.account_settings = AccountSettings()
        self.account_faults = AccountFaults()
        self.account_journal = Journal(account_log_path)
        self.mtproto: Server | None = None
        self.graph = Graph(seed)
        self.llm_script = Script()
        self.llm_journal = Journal()
        self.sheet = Sheet()
        self.world = World(self.settings, seed)
        self.files = FileStore(self.world)
        self.senders: dict[int, WebhookSender] = {}
        self.methods = registry()
        self._seed = seed
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Start delivering."""
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        self.files.session = self._session
        self.graph.events = self.world.events
        self.graph.open(self._session)
        for bot_id in self.world.inboxes:
            await self.restart_webhook(bot_id)

    async def close(self) -> None:
        """Stop delivering, end open pages and polls, close the log."""
        self.world.events.close()
        for inbox in self.world.inboxes.values():
            inbox.interrupt_poll("terminated by the end of the simulator")
        await asyncio.gather(*(sender.stop() for sender in self.senders.values()))
        await self.graph.close()
        if self._session is not None:
            await self._session.close()
        if self.mtproto is not None:
            await self.mtproto.stop()
        self.journal.close()
        self.account_journal.close()

    async def reset(self) -> None:
        """An empty world with the same bots, webhooks forgotten; log, faults and limits cleared. Settings and
        tokens stay.
        """
        await asyncio.gather(*(sender.stop() for sender in self.senders.values()))
        self.senders.clear()
        for inbox in self.world.inboxes.values():
            inbox.interrupt_poll("terminated by a reset of the simulator")
        old = self.world
        self.world = World(self.settings, self._seed)
        self.world.events = old.events
        self.files.world = self.world
        for bot in old.bots_by_id.values():
            self.world.add_bot(bot.token, bot.username, bot.first_name, bot.privacy)
        self.journal.clear()
        self.faults = Faults()
        self.limiter.clear()
        self.account_journal.clear()
        self.account_faults.clear()
        await self.graph.reset()
        self.llm_script = Script()
        self.llm_journal.clear()
        self.sheet = Sheet()
        if self.mtproto is not None:
            self.mtproto.adopt(self.world)
        self.world.events.publish({"type": "reload"})

    async def restart_webhook(self, bot_id: int) -> None:
        """Deliver a bot's updates as its inbox says now."""
        sender = self.senders.pop(bot_id, None)
        if sender is not None:
            await sender.stop()
        inbox = self.world.inboxes[bot_id]
        if inbox.webhook.url:
            assert self._session is not None
            self.senders[bot_id] = WebhookSender(inbox, self.settings, self._session, self.run_from_webhook)
            self.senders[bot_id].start()

    # ---- running a call

    async def run(self, call: Call, fault: Fault | None = None) -> bytes:
        """The JSON body of a call's answer; accepted or refused, it is logged. Raises ApiError."""
        try:
            if call.method in WAITING:
                body = await self._wait(call)
                if call.method == "getupdates":
                    return body
            else:
                if call.method in FETCHING:
                    await self.files.fetch(call, addresses(call))
                body = answer(self._call(call))
        except ApiError as error:
            self.refuse(call, error, fault)
            raise
        self._accept(call, fault)
        return body

    def _call(self, call: Call) -> Any:
        method = self.methods.get(call.method)
        if method is None:
            raise ApiError(404, "Not Found: method not found")
        now = time.monotonic()
        if call.method in LIMITED and (blocked := self.limiter.blocked_for(call.bot.id, now)):
            call.chat_id = call.integer("chat_id")
            text = f"Too Many Requests: retry after {blocked}"
            raise ApiError(429, text, {"retry_after": blocked})
        return method(Context(self.world, self.settings, self.limiter, self.files, now), call)

    async def _wait(self, call: Call) -> bytes:
        if call.method == "getupdates":
            return answer_bytes(await get_updates(self.world, call))
        if call.method == "getwebhookinfo":
            return answer(webhook_info(self.world.inboxes[call.bot.id]))
        if call.method == "setwebhook":
            return answer(*await set_webhook(self.world, call, self.restart_webhook))
        if call.method == "deletewebhook":
            return answer(*await delete_webhook(self.world, call, self.restart_webhook))
        return answer(True)

    async def run_from_webhook(
        self, bot_id: int, method: str, values: dict[str, Any], files: dict[str, Upload]
    ) -> None:
        """A call that stood in the answer of a webhook: nobody hears its result, the log keeps it."""
        call = Call(self.world.bots_by_id[bot_id], method, values, files, via="webhook")
        try:
            self.check_utf8(values)
            if method in FETCHING:
                await self.files.fetch(call, addresses(call))
            self._call(call)
        except ApiError as error:
            self.refuse(call, error, None)
        else:
            self._accept(call, None)

    def _accept(self, call: Call, fault: Fault | None) -> None:
        self.journal.append(self._entry(call, fault, "accepted"))

    def refuse(self, call: Call, error: ApiError, fault: Fault | None) -> None:
        """Log a call that was answered with an error."""
        entry = self._entry(call, fault, "rejected")
        entry |= {"error_code": error.code, "description": error.description, "cost": 0}
        if error.parameters:
            entry["parameters"] = error.parameters
        self.journal.append(entry)

    def _entry(self, call: Call, fault: Fault | None, outcome: str) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "outcome": outcome,
            "bot": call.bot.id,
            "bot_username": call.bot.username,
            "method": NAMES.get(call.method, call.method),
            "chat_id": call.chat_id or None,
            "message_id": call.message_id or None,
            "text": call.text,
            "reply_markup": call.markup,
            "params": call.logged(),
            "cost": call.cost,
        }
        if len(call.message_ids) > 1:
            entry["message_ids"] = call.message_ids
        if call.via != "http":
            entry["via"] = call.via
        if fault is not None:
            entry["fault"] = fault.kind
        return entry

    def bot_of_token(self, token: str) -> Bot:
        """The bot. Raises ApiError 401 for an unknown or revoked token, 404 for what is none."""
        bot = self.world.bots.get(token)
        if bot is None:
            raise ApiError(401, "Unauthorized") if TOKEN.fullmatch(token) else ApiError(404, "Not Found")
        return bot

    def check_utf8(self, values: dict[str, Any]) -> None:
        """Raises ApiError 400 for text that is not UTF-8."""
        for value in values.values():
            if isinstance(value, str) and not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise bad_request("strings must be encoded in UTF-8") from None
