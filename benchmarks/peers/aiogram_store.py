"""aiogram's webhook server with a handler that stores what the product's intake stores for an update, by asyncpg: one
transaction an update, a statement a row. It notes no update as received, encrypts nothing and limits no answers.

On asyncio's own loop, or (`uvloop`) on the faster one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from aiogram import Bot, Dispatcher
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from benchmarks.provider import run_loop

HELP = "I bring you notifications of your account.\n\n/start – Begin\n/help – What this bot can do\n/stop – Pause"

IDENTITY = """
    INSERT INTO bench_identities (workspace_id, channel, scope, external_id_encrypted, external_hash, display_name,
                                  username, locale, created_at, updated_at)
    VALUES ($1, 'telegram', '', $2, $2, $3, $4, $5, $6, $6)
    ON CONFLICT (workspace_id, external_hash) DO UPDATE SET display_name = $3 RETURNING id
"""
CONVERSATION = """
    INSERT INTO bench_conversations (workspace_id, channel, sender_id, chat_hash, chat_key, chat_id_encrypted, kind,
                                     title, identity_id, last_inbound_at, last_message_at, created_at)
    VALUES ($1, 'telegram_bot', $2, $3, $4, $3, 'private', $5, $6, $7, $8, $8)
    ON CONFLICT (workspace_id, sender_id, chat_hash) DO UPDATE SET last_inbound_at = $7, last_message_at = $8
    RETURNING id
"""
MESSAGE = """
    INSERT INTO bench_messages (workspace_id, conversation_id, sender_id, direction, kind, lane, state, body,
                                external_id, created_at, sent_at)
    VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10) RETURNING id
"""
PART = """
    INSERT INTO bench_message_parts (workspace_id, message_id, part, sender_id, chat_key, external_id, sent_version,
                                     sent_at)
    VALUES ($1, $2, 0, $3, $4, $5, 1, $6)
"""
DELIVERY = """
    INSERT INTO bench_deliveries (workspace_id, sender_id, conversation_id, message_id, part, operation, chat_key, lane,
                                  due_at, expires_at, state, epoch, attempts, reason, at_most_once)
    VALUES ($1, $2, $3, $4, 0, 'send', $5, 0, $6, $7, 'due', 0, 0, 'queued', false)
"""
LIVE = "INSERT INTO bench_live_events (workspace_id, topic, ids, at) VALUES ($1, 'messages', $2, $3)"


async def store(connection: Any, message: Message, workspace_id: int, sender_id: int) -> None:
    """The rows of one update."""
    now, chat_id = datetime.now(UTC), message.chat.id
    hashed = f"chat:{chat_id}".encode()
    person, text = message.from_user, message.text or ""
    assert person is not None
    identity_id = await connection.fetchval(
        IDENTITY, workspace_id, hashed, person.full_name, person.username, person.language_code, now
    )
    conversation_id = await connection.fetchval(
        CONVERSATION, workspace_id, sender_id, hashed, chat_id, person.full_name, identity_id, message.date, now
    )
    owner = (workspace_id, conversation_id, sender_id)
    body = json.dumps({"parts": [{"text": text, "format": "plain"}], "identity_id": identity_id})
    external_id = str(message.message_id)
    received = await connection.fetchval(
        MESSAGE, *owner, "in", "text", "received", body, external_id, now, message.date
    )
    await connection.execute(PART, workspace_id, received, sender_id, chat_id, external_id, message.date)
    await connection.execute(LIVE, workspace_id, json.dumps({"message_id": received}), now)
    if text == "/help":
        body = json.dumps({"parts": [{"text": HELP, "format": "plain"}]})
        answer = await connection.fetchval(MESSAGE, *owner, "out", "reply", "queued", body, None, now, None)
        expires_at = now + timedelta(minutes=10)
        await connection.execute(DELIVERY, workspace_id, sender_id, conversation_id, answer, chat_id, now, expires_at)
        await connection.execute(LIVE, workspace_id, json.dumps({"message_id": answer}), now)


async def _main() -> None:
    port, secret, address, workspace_id, sender_id = sys.argv[1:6]
    pool = await asyncpg.create_pool(address, min_size=8, max_size=8)
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def _store(message: Message) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await store(connection, message, int(workspace_id), int(sender_id))

    application = web.Application()
    bot = Bot("4400001:BENCH-not-a-real-token")
    handler = SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token=secret)
    handler.register(application, path="/webhook")
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[6:] == ["uvloop"]:
        run_loop(_main())
    else:
        asyncio.run(_main())
