"""`/macros/s/<deployment>/exec`, a deployed Apps Script, and `/control/sheets`: how it ends, what it was sent."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from simulator.engine import Engine
from simulator.model import JSON
from simulator.web.body import Body, answering, reply
from simulator.web.bot_api import ENGINE

_PAGES = {
    "script_error": "<html><head><title>Error</title></head><body>TypeError: sheet is null</body></html>",
    "sign_in": '<html><head><title>Sign in</title></head><body><a href="https://accounts.google.com/">'
    "Sign in</a></body></html>",
}


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    return [
        web.post("/macros/s/{deployment}/exec", run),
        web.get("/macros/echo", echo),
        web.get("/control/sheets", answering(describe)),
        web.patch("/control/sheets", answering(change)),
        web.get("/control/sheets/runs", answering(list_runs)),
        web.delete("/control/sheets/runs", answering(clear_runs)),
    ]


async def run(request: web.Request) -> web.Response:
    """Runs the script; its answer waits at another address, which is good for one GET."""
    sheet = request.app[ENGINE].sheet
    content = await request.read()
    await asyncio.sleep(sheet.delay)
    try:
        body: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = content.decode("utf-8", "replace")
    name = sheet.run(request.method, body)
    return web.Response(status=302, headers={"Location": f"http://{request.host}/macros/echo?user_content_key={name}"})


async def echo(request: web.Request) -> web.Response:
    """What the script answered: JSON, or a page in HTML where it failed."""
    mode = request.app[ENGINE].sheet.answers.pop(request.query.get("user_content_key", ""), None)
    if mode is None:
        return web.Response(status=404, text="<html><title>Not found</title></html>", content_type="text/html")
    if mode in _PAGES:
        return web.Response(text=_PAGES[mode], content_type="text/html")
    return reply({"ok": True} if mode == "ok" else {"ok": False, "error": "locked"})


def describe(engine: Engine, body: Body, request: web.Request) -> JSON:
    """How the script ends, and how often it ran."""
    return {"url": f"http://{request.host}/macros/s/demo/exec", **engine.sheet.describe()}


def change(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change `mode` and `delay`."""
    engine.sheet.change(body.values)
    return describe(engine, body, request)


def list_runs(engine: Engine, body: Body, request: web.Request) -> JSON:
    """What the script was sent, oldest first."""
    return {"runs": list(engine.sheet.runs)}


def clear_runs(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Forget the runs."""
    engine.sheet.runs.clear()
    return {"status": "ok"}
