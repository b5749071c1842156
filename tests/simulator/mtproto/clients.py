"""Unmodified Telethon clients of a box: the server's key and address are all they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from telethon import TelegramClient, events
from telethon.crypto import rsa
from telethon.sessions import MemorySession, StringSession
from telethon.tl import functions, types

from tests.support.telegram_box import TelegramBox

API_ID, API_HASH = 12345, "0" * 32
WITHIN = 60.0
SCENARIO_WITHIN = 120.0


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a test's scenario; a call that is never answered fails it."""
    asyncio.run(asyncio.wait_for(scenario, SCENARIO_WITHIN))


class Clients(AsyncExitStack):
    """Makes clients of a box and disconnects them at the end."""

    def __init__(self, box: TelegramBox) -> None:
        super().__init__()
        self.box = box
        self.server = box.control("GET", "/mtproto")
        rsa.add_key(self.server["public_key"], old=False)
        # Telethon keeps the first server's configuration for the whole process.
        TelegramClient._config = None

    def client(self, session: Any = None, *, dc: int = 2, **options: Any) -> TelegramClient:
        """A client that is not connected yet."""
        known = {"retry_delay": 0.05, "flood_sleep_threshold": 0, "raise_last_call_error": True, "request_retries": 1}
        client = TelegramClient(session or MemorySession(), API_ID, API_HASH, **known | options)
        if not client.session.auth_key:
            client.session.set_dc(dc, self.server["host"], self.server["port"])
        self.push_async_callback(_end, client)
        return client

    async def connected(self, session: Any = None, **options: Any) -> TelegramClient:
        """A client that nobody is logged in at."""
        client = self.client(session, **options)
        await client.connect()
        return client

    async def logged_in(self, phone: str, session: Any = None, **options: Any) -> TelegramClient:
        """A client that logged in with the code of the phone."""
        client = await self.connected(session or StringSession(), **options)
        await client.send_code_request(phone)
        await client.sign_in(phone, self.code(phone))
        return client

    def code(self, phone: str) -> str:
        """The newest code that was sent for a number."""
        found: str = self.box.control("GET", f"/accounts/{phone}/codes")["codes"][-1]["code"]
        return found


async def _end(client: TelegramClient) -> None:
    await asyncio.wait_for(client.disconnect(), 60)


async def find(client: TelegramClient, phone: str) -> types.InputPeerUser:
    """How a client addresses the person of a number."""
    found = await client(functions.contacts.ResolvePhoneRequest(phone.removeprefix("+")))
    return types.InputPeerUser(found.users[0].id, found.users[0].access_hash)


class Heard(list[Any]):
    """What a client heard of one kind of event."""

    def __init__(self, client: TelegramClient, event: Any = events.NewMessage, **which: Any) -> None:
        super().__init__()

        async def hear(heard: Any) -> None:
            self.append(heard)

        client.add_event_handler(hear, event(**which) if isinstance(event, type) else event)

    async def wait(self, count: int = 1) -> None:
        """Until there are so many."""
        await until(lambda: len(self) >= count)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition. Raises AssertionError when it does not come."""
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)
