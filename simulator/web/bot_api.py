"""`/bot<token>/<method>` and `/file/bot<token>/<path>`: requests read as Telegram reads them, faults played,
answers written.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from simulator.engine import Engine
from simulator.errors import ApiError, bad_request
from simulator.faults import Fault
from simulator.files import MAX_UPLOAD
from simulator.parameters import Call, Upload

ENGINE: web.AppKey[Engine] = web.AppKey("engine", Engine)
BODY_LIMIT = MAX_UPLOAD + 1024 * 1024
UNREADABLE = (ValueError, LookupError, RuntimeError, HttpProcessingError)
"""What aiohttp raises for a form that is none: a broken part, an unknown charset or transfer encoding."""


def routes() -> list[web.RouteDef]:
    """The addresses of the Bot API."""
    return [
        web.route("*", r"/bot{token:[^/]+}/{method:[^/]+}", handle),
        web.route("*", r"/bot{token:[^/]+}/test/{method:[^/]+}", handle),
        web.get(r"/file/bot{token:[^/]+}/{path:.+}", download),
    ]


async def handle(request: web.Request) -> web.Response:
    """One call."""
    engine = request.app[ENGINE]
    try:
        bot = engine.bot_of_token(request.match_info["token"])
        method = request.match_info["method"].lower()
        call = await _read(request, Call(bot, method, {}))
        engine.check_utf8(call.values)
        fault = engine.faults.strike(bot.id, method, call.integer("chat_id")) if engine.faults.rules else None
        if fault is not None:
            return await _with_fault(engine, request, call, fault)
        return _json(await engine.run(call))
    except ApiError as error:
        return _error(error)


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def _error(error: ApiError) -> web.Response:
    response = _json(orjson.dumps(error.body()), error.code)
    if error.parameters and "retry_after" in error.parameters:
        response.headers["Retry-After"] = str(error.parameters["retry_after"])
    return response


async def _read(request: web.Request, call: Call) -> Call:
    if request.query_string:
        call.values.update(request.query)
    if not request.body_exists:
        return call
    try:
        if request.content_type == "application/json":
            body = await request.read()
            if body:
                call.values.update(_object(body))
        elif request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
            await _form(request, call)
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request Entity Too Large") from None
    return call


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("can't parse request body as JSON") from None
    if not isinstance(given, dict):
        raise bad_request("expected an Object as the request body")
    return {name: value for name, value in given.items() if value is not None}


async def _form(request: web.Request, call: Call) -> None:
    try:
        # aiohttp reads no form of a GET; Telegram does, and clients send them.
        form = await request.clone(method=hdrs.METH_POST).post()
    except UNREADABLE:
        raise bad_request("can't parse the request body") from None
    for name, value in form.items():
        if isinstance(value, web.FileField):
            data = value.file.read()
            if len(data) > MAX_UPLOAD:
                raise ApiError(413, "Request Entity Too Large")
            call.files[name] = Upload(value.filename, value.content_type, data)
        elif isinstance(value, (bytes, bytearray)):
            call.values[name] = bytes(value).decode("utf-8", "replace")
        else:
            call.values[name] = value


async def _with_fault(engine: Engine, request: web.Request, call: Call, fault: Fault) -> web.Response:
    if fault.kind == "error":
        raise _requested_error(engine, call, fault)
    if fault.kind == "drop_before" or (fault.kind == "hang" and fault.accept == "never"):
        if fault.kind == "hang":
            await asyncio.sleep(fault.wait())
        call.chat_id = call.integer("chat_id")
        engine.refuse(call, ApiError(0, "the connection was closed"), fault)
        return _closed(request)
    if fault.kind == "hang" and fault.accept == "after":
        await asyncio.sleep(fault.wait())
        return _json(await engine.run(call, fault))
    body = await engine.run(call, fault)
    if fault.kind == "drop_after":
        return _closed(request)
    if fault.kind == "garbage":
        return web.Response(text=fault.body, status=fault.status, content_type="text/html")
    await asyncio.sleep(fault.wait())
    return _json(body)


def _requested_error(engine: Engine, call: Call, fault: Fault) -> ApiError:
    parameters: dict[str, Any] = {}
    if fault.error_code == 429:
        parameters["retry_after"] = fault.retry_after
        if fault.block_bot:
            engine.limiter.block(call.bot.id, time.monotonic() + fault.retry_after)
    if fault.migrate_to_chat_id:
        parameters["migrate_to_chat_id"] = fault.migrate_to_chat_id
    error = ApiError(fault.error_code, fault.error_text(), parameters)
    call.chat_id = call.integer("chat_id")
    engine.refuse(call, error, fault)
    return error


def _closed(request: web.Request) -> web.Response:
    """End the connection at once; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def download(request: web.Request) -> web.Response:
    """A file's content."""
    engine = request.app[ENGINE]
    try:
        engine.bot_of_token(request.match_info["token"])
    except ApiError as error:
        return _error(error)
    stored = engine.files.at_path(request.match_info["path"])
    if stored is None:
        return _error(ApiError(404, "Not Found"))
    return web.Response(body=stored.data, content_type="application/octet-stream")
