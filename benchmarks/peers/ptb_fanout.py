"""python-telegram-bot says `count` messages to as many chats, 32 at a time; with `--limited`, under its rate limiter.

Prints `ready`, works, prints how many were accepted. Stores nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from telegram.error import TelegramError
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

CONNECTIONS = 32


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("count", type=int)
    parser.add_argument("--limited", action="store_true")
    given = parser.parse_args()
    bot: ExtBot[tuple[int, int]] = ExtBot(
        "4300001:BENCH-not-a-real-token",
        base_url=f"http://127.0.0.1:{given.port}/bot",
        request=HTTPXRequest(connection_pool_size=CONNECTIONS, pool_timeout=60.0),
        rate_limiter=AIORateLimiter(max_retries=5) if given.limited else None,
    )
    gate = asyncio.Semaphore(CONNECTIONS)
    async with bot:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

        async def send(number: int) -> bool:
            async with gate:
                try:
                    await bot.send_message(20_000 + number, f"peer {number}")
                except TelegramError:
                    return False
                return True

        results = await asyncio.gather(*(send(number) for number in range(given.count)))
    sys.stdout.write(f"{sum(results)}\n")


if __name__ == "__main__":
    asyncio.run(_main())
