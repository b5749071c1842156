"""aiogram's own webhook server: it checks the secret, parses the update, answers, and has a handler do nothing. It
stores nothing, so that a crash loses what was acknowledged. On asyncio's own loop, as its documentation has it, or
(`uvloop`) on the faster one.
"""

from __future__ import annotations

import asyncio
import sys

from aiogram import Bot, Dispatcher
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from benchmarks.provider import run_loop


async def _main() -> None:
    port, secret = int(sys.argv[1]), sys.argv[2]
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def _nothing(message: Message) -> None:
        return None

    application = web.Application()
    bot = Bot("4400001:BENCH-not-a-real-token")
    SimpleRequestHandler(dispatcher, bot, secret_token=secret).register(application, path="/webhook")
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        run_loop(_main())
    else:
        asyncio.run(_main())
