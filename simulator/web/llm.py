"""`/llm/v1/chat/completions`, and `/control/llm…`: its script, the requests it got."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from simulator.engine import Engine
from simulator.errors import invalid
from simulator.llm import completions
from simulator.llm.script import LONGEST_DELAY, Step
from simulator.model import JSON
from simulator.web.body import Body, answering, reply
from simulator.web.bot_api import ENGINE

PATH = "/llm/v1"


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    return [
        web.post(f"{PATH}/chat/completions", complete),
        web.get(f"{PATH}/models", models),
        web.get("/control/llm", answering(describe)),
        web.patch("/control/llm", answering(change)),
        web.post("/control/llm/steps", answering(add_step)),
        web.get("/control/llm/steps", answering(list_steps)),
        web.delete("/control/llm/steps", answering(clear_steps)),
        web.get("/control/llm/log", answering(log)),
        web.delete("/control/llm/log", answering(clear_log)),
    ]


async def complete(request: web.Request) -> web.StreamResponse:
    """One completion, in the API's own shape of results and errors."""
    engine = request.app[ENGINE]
    try:
        asked = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        return _refuse(400, "messages must be a list")
    step = engine.llm_script.step_for("\n".join(completions.words_of(asked)))
    outcome = "own" if step is None else "cut" if step.cut else str(step.status)
    number = engine.llm_journal.append({"outcome": outcome, "step": step and step.id, "request": asked})
    await asyncio.sleep(engine.llm_script.delay if step is None else step.delay or engine.llm_script.delay)
    if step is None:
        return reply(completions.own(asked, number))
    return _answer(request, step, asked, number)


def _answer(request: web.Request, step: Step, asked: JSON, number: int) -> web.StreamResponse:
    if step.cut:
        if request.transport is not None:
            request.transport.close()
        return web.Response()
    body: Any = step.body if step.body is not None else completions.scripted(step, asked, number)
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"
    headers = {str(name): str(value) for name, value in (step.headers or {}).items()}
    return web.Response(body=content, status=step.status, content_type=kind, headers=headers)


async def models(request: web.Request) -> web.Response:
    """The one model there is."""
    return reply({"object": "list", "data": [{"id": "simulated", "object": "model", "owned_by": "simulator"}]})


def describe(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Where it is asked, and how long it thinks."""
    return {"base_url": f"http://{request.host}{PATH}", "delay": engine.llm_script.delay}


def change(engine: Engine, body: Body, request: web.Request) -> JSON:
    """`delay`: how long it thinks where no step says it, in seconds."""
    delay = body.values.get("delay")
    if not isinstance(delay, int | float) or isinstance(delay, bool) or not 0 <= delay <= LONGEST_DELAY:
        raise invalid("delay must be a number of seconds")
    engine.llm_script.delay = float(delay)
    return describe(engine, body, request)


def add_step(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A step at the end of the script; see `simulator.llm.script.Step`."""
    return reply(engine.llm_script.add(body.values).describe(), 201)


def list_steps(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The script, with how often each step was used."""
    return {"steps": [step.describe() for step in engine.llm_script.steps]}


def clear_steps(engine: Engine, body: Body, request: web.Request) -> JSON:
    """No steps any more."""
    engine.llm_script.clear()
    return {"status": "ok"}


def log(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The requests above `since`."""
    since = request.query.get("since", "0")
    if not since.isdecimal():
        raise invalid("since must be a number")
    return {"entries": engine.llm_journal.read(int(since), 0), "next": engine.llm_journal.last}


def clear_log(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Forget the requests; numbering goes on."""
    engine.llm_journal.clear()
    return {"next": engine.llm_journal.last}


def _refuse(status: int, message: str) -> web.Response:
    return reply({"error": {"message": message, "type": "invalid_request_error", "code": None}}, status)
