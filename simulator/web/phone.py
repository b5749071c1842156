"""The phone page, its files, deep-link addresses, and its live events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
from aiohttp import web

from simulator.accounts.model import Document
from simulator.events import Broadcast
from simulator.model import StoredFile
from simulator.web.bot_api import ENGINE

STATIC = Path(__file__).resolve().parent.parent / "static"
KEEP_ALIVE = 15.0
TYPES = {".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".svg": "image/svg+xml"}


def routes() -> list[web.RouteDef]:
    """Their addresses; `/<bot>` and `/t/<bot>` are what t.me/<bot> is on the internet."""
    return [
        web.get("/", page),
        web.get("/meta", meta_page),
        web.get("/control/graph/events", graph_events),
        web.get(r"/static/{name:[a-z_]+\.(?:css|js|svg)}", asset),
        web.get("/control/events", events),
        web.get(r"/control/files/{file_id:[A-Za-z0-9_-]+}", file_content),
        web.get(r"/t/{bot:[A-Za-z]\w{3,31}}", page),
        web.get(r"/{bot:[A-Za-z]\w{3,31}}", page),
    ]


def _static(name: str) -> web.Response:
    path = STATIC / name
    if not path.is_file():
        raise web.HTTPNotFound
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=path.read_bytes(), content_type=TYPES[path.suffix], charset="utf-8", headers=headers)


async def page(request: web.Request) -> web.Response:
    """The phone. A link to a bot that does not exist is 404."""
    name = request.match_info.get("bot")
    if name is not None:
        world = request.app[ENGINE].world
        if world.find_name(name) not in world.bots_by_id:
            raise web.HTTPNotFound(text=f"There is no bot @{name} here.\n")
    return _static("phone.html")


async def meta_page(request: web.Request) -> web.Response:
    """The phones of people who write to a WhatsApp number, a page or an Instagram account."""
    return _static("meta.html")


async def asset(request: web.Request) -> web.Response:
    """Style and script of the page."""
    return _static(request.match_info["name"])


async def file_content(request: web.Request) -> web.Response:
    """A picture for the page, or a document to save."""
    world, file_id = request.app[ENGINE].world, request.match_info["file_id"]
    stored: StoredFile | Document | None = world.files.get(file_id)
    if stored is None and file_id.isdecimal():
        stored = world.accounts.documents.get(int(file_id))
    if stored is None:
        raise web.HTTPNotFound
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    if stored.kind == "photo":
        kinds = {
            b"\x89PN": "image/png",
            b"\xff\xd8\xff": "image/jpeg",
            b"GIF": "image/gif",
            b"RIF": "image/webp",
        }
        return web.Response(body=stored.data, content_type=kinds[stored.data[:3]], headers=headers)
    headers["Content-Disposition"] = "attachment"
    return web.Response(body=stored.data, content_type="application/octet-stream", headers=headers)


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: what is new, as JSON objects with a `type`."""
    return await _stream(request, request.app[ENGINE].world.events)


async def graph_events(request: web.Request) -> web.StreamResponse:
    """The same of the simulated Graph API."""
    return await _stream(request, request.app[ENGINE].graph.events)


async def _stream(request: web.Request, broadcast: Broadcast) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    queue = broadcast.subscribe()
    try:
        await response.write(b"retry: 1000\n\n")
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if event is None:
                break
            await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
    except ConnectionResetError:
        return response
    finally:
        broadcast.unsubscribe(queue)
    return response
