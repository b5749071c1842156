"""FastAPI with asyncpg on uvicorn (uvloop, httptools): checks the secret, parses, stores the same rows in tables of the
same shape and indexes, answers after the commit. Unlike the product it does not encrypt the body and wakes nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response

STORE = """
    WITH first AS (
        INSERT INTO bench_keys (sender_id, key, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING key
    )
    INSERT INTO bench_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts,
                              due_at, received_at)
    SELECT $1, 'telegram_bot', key, $4, $5, 'new', 0, $3, $3 FROM first RETURNING id
"""


def application(address: str, secret: str, sender_id: int) -> FastAPI:
    """The server over this database."""
    held: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        held["pool"] = await asyncpg.create_pool(address, min_size=8, max_size=8)
        yield
        await held["pool"].close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/webhook")
    async def webhook(request: Request) -> Response:
        given = request.headers.get("x-telegram-bot-api-secret-token", "")
        if not hmac.compare_digest(given, secret):
            return Response(status_code=401)
        raw = await request.body()
        update = json.loads(raw)
        key = hashlib.sha256(json.dumps(update, sort_keys=True).encode()).digest()
        chat = update["message"]["chat"]["id"]
        async with held["pool"].acquire() as connection:
            await connection.execute(STORE, sender_id, key, datetime.now(UTC), chat, raw)
        return Response(b'{"ok":true}', media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[2], sys.argv[3], int(sys.argv[4])),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
