"""aiogram's concurrent fan-out: `count` messages to as many chats over 32 connections. Stores nothing.

For each line on standard input it says the messages once more, with that line in their text, and prints a line when it
has finished.
"""

from __future__ import annotations

import asyncio
import sys

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

CONNECTIONS = 32


async def _main() -> None:
    port, count = sys.argv[1], int(sys.argv[2])
    session = AiohttpSession(api=TelegramAPIServer.from_base(f"http://127.0.0.1:{port}"), limit=CONNECTIONS)
    gate = asyncio.Semaphore(CONNECTIONS)
    loop = asyncio.get_running_loop()
    async with Bot("4400001:BENCH-not-a-real-token", session=session) as bot:

        async def send(name: str, number: int) -> None:
            async with gate:
                await bot.send_message(20_000 + number, f"peer {name} {number}")

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while name := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            await asyncio.gather(*(send(name, number) for number in range(count)))
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
