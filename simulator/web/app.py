"""The web application: all addresses, the start and the end of the engine, saving the world now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from aiohttp import web

from simulator import snapshot
from simulator.engine import Engine
from simulator.graph import control as graph_control
from simulator.graph import web as graph_api
from simulator.graph.pages import control as pages_control
from simulator.graph.whatsapp import control as whatsapp_control
from simulator.web import accounts, bot_api, control, llm, mtproto, people, phone, private_chats, sheets
from simulator.web.guard import guard

SAVE_EVERY = 2.0
SAVED_TO: web.AppKey[Path] = web.AppKey("saved_to", Path)


def create_app(engine: Engine, saved_to: Path | None = None, hosts: Iterable[str] = ()) -> web.Application:
    """The application around an engine; with `saved_to`, the world is kept in that file. `hosts` are the
    names that it may be called by, besides addresses and localhost.
    """
    app = web.Application(client_max_size=bot_api.BODY_LIMIT, middlewares=[guard(hosts)])
    app[bot_api.ENGINE] = engine
    app[graph_api.GRAPH] = engine.graph
    if saved_to is not None:
        app[SAVED_TO] = saved_to
    app.add_routes(bot_api.routes())
    app.add_routes(control.routes())
    app.add_routes(people.routes())
    app.add_routes(mtproto.routes())
    app.add_routes(accounts.routes())
    app.add_routes(private_chats.routes())
    app.add_routes(llm.routes())
    app.add_routes(sheets.routes())
    app.add_routes(phone.routes())
    app.add_routes(graph_api.routes())
    app.add_routes(graph_control.routes())
    app.add_routes(whatsapp_control.routes())
    app.add_routes(pages_control.routes())
    app.cleanup_ctx.append(_life)
    return app


async def _life(app: web.Application) -> AsyncIterator[None]:
    engine = app[bot_api.ENGINE]
    await engine.open()
    saver = asyncio.create_task(_save_often(engine, app[SAVED_TO])) if SAVED_TO in app else None
    app.on_shutdown.append(_end_pages)
    yield
    if saver is not None:
        saver.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saver
        snapshot.save(engine.world, app[SAVED_TO])
    await engine.close()


async def _end_pages(app: web.Application) -> None:
    """Open pages and polls would otherwise hold up the end."""
    engine = app[bot_api.ENGINE]
    engine.world.events.close()
    engine.graph.events.close()
    for inbox in engine.world.inboxes.values():
        inbox.interrupt_poll("terminated by the end of the simulator")


async def _save_often(engine: Engine, path: Path) -> None:
    saved = -1
    while True:
        await asyncio.sleep(SAVE_EVERY)
        if engine.world.changes != saved:
            saved = engine.world.changes
            snapshot.save(engine.world, path)
