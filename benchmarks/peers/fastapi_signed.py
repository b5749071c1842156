"""FastAPI with asyncpg on uvicorn (uvloop, httptools): checks the HMAC over the raw bytes, parses, stores a row for
each item in tables of the product's shape and indexes by one statement, answers after the commit. Unlike the product it
does not encrypt the bodies, keeps one sender, and wakes nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response

STORE = """
    WITH given AS (
        SELECT * FROM unnest($2::bytea[], $4::bigint[], $5::bytea[]) AS g(key, conversation_key, body)
    ), first AS (
        INSERT INTO bench_keys (sender_id, key, seen_at) SELECT $1, key, $3 FROM given
        ON CONFLICT DO NOTHING RETURNING key
    )
    INSERT INTO bench_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts,
                              due_at, received_at)
    SELECT $1, 'whatsapp', key, conversation_key, body, 'new', 0, $3, $3 FROM first JOIN given USING (key)
"""


def items(body: Any) -> Iterator[tuple[bytes, int, bytes]]:
    """Each item's key, conversation and bytes."""
    for entry in body["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            for message in value.get("messages", ()):
                kept = {"metadata": value["metadata"], "contacts": value.get("contacts"), "message": message}
                key = hashlib.sha256(message["id"].encode()).digest()
                yield key, int(message["from"]), json.dumps(kept).encode()


def application(address: str, secret: bytes, sender_id: int) -> FastAPI:
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
        raw = await request.body()
        expected = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers.get("x-hub-signature-256", ""), expected):
            return Response(status_code=401)
        keys, chats, bodies = zip(*items(json.loads(raw)), strict=True)
        async with held["pool"].acquire() as connection:
            await connection.execute(STORE, sender_id, list(keys), datetime.now(UTC), list(chats), list(bodies))
        return Response(b'{"ok":true}', media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[2], sys.argv[3].encode(), int(sys.argv[4])),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
