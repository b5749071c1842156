"""`/graph/<version>/…`: calls read as the Graph API reads them, faults played, answers written."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import orjson
from aiohttp import web

from simulator.graph import administration, pages, whatsapp  # noqa: F401 - they register their calls
from simulator.graph.edges import ROOT, GraphCall
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.graph import Graph
from simulator.graph.model import Node, Token
from simulator.parameters import Upload

GRAPH: web.AppKey[Graph] = web.AppKey("graph", Graph)
_VERSION = re.compile(r"v\d{1,3}\.\d")
_ROOT_CALLS = ("debug_token", "refresh_access_token", "access_token", "oauth/access_token")
_WITHOUT_TOKEN = ("access_token", "oauth/access_token")


def routes() -> list[web.RouteDef]:
    """The addresses of the Graph API."""
    return [
        web.route("*", r"/graph/{path:.+}", handle),
        web.get("/graph-media/{media}/{key}", handle_download),
        web.get("/graph-cdn/{file}/{key}", handle_cdn),
    ]


async def handle_download(request: web.Request) -> web.StreamResponse:
    """The bytes of a file."""
    return await whatsapp.media.download(request, request.app[GRAPH])


async def handle_cdn(request: web.Request) -> web.StreamResponse:
    """The bytes of a file of Messenger's or Instagram's."""
    return await pages.files.download(request, request.app[GRAPH])


async def handle(request: web.Request) -> web.StreamResponse:
    """One call."""
    graph = request.app[GRAPH]
    version, _, path = request.match_info["path"].strip("/").partition("/")
    if not _VERSION.fullmatch(version):
        # Instagram's own login refreshes tokens without a version in the address.
        version, path = "v26.0", request.match_info["path"].strip("/")
    platform = ""
    try:
        params, files = await _read(request)
        call = _call(graph, request, path, params, files)
        platform = "whatsapp" if call.node.kind in ("number", "waba", "media") else ""
        to = str(params.get("to") or params.get("recipient") or "")
        fault = graph.faults.strike(call.name, call.node.id, to) if graph.faults.rules else None
        if fault is not None and fault.kind in ("drop_before", "hang"):
            await asyncio.sleep(fault.seconds if fault.kind == "hang" else 0)
            return _closed(request)
        if fault is not None and fault.kind == "late_failure":
            call.late_failure, call.late_failure_after = fault.code, fault.seconds
        answer: Any = await graph.run(call, fault)
        if fault is not None and fault.kind == "drop_after":
            return _closed(request)
        if fault is not None and fault.kind == "garbage":
            return web.Response(text="<html>502</html>", content_type="text/html")
        if fault is not None and fault.kind == "latency":
            await asyncio.sleep(fault.seconds)
    except GraphError as error:
        return _json(error.body(platform), error.status, version)
    return answer if isinstance(answer, web.StreamResponse) else _json(answer, 200, version)


def _json(value: Any, status: int, version: str) -> web.Response:
    response = web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
    response.headers["facebook-api-version"] = version
    return response


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _call(graph: Graph, request: web.Request, path: str, params: dict[str, Any], files: dict[str, Upload]) -> GraphCall:
    base = f"{request.scheme}://{request.host}"
    value = _token(request, params)
    params.pop("access_token", None)
    if path in _ROOT_CALLS:
        token = Token("", "") if path in _WITHOUT_TOKEN else graph.token_of(value)
        return GraphCall(graph, token, Node("", ROOT), request.method, path, params, files, time.monotonic(), base)
    if not value:
        raise GraphError(400, 2500, "An active access token must be used to query information about the current user.")
    token = graph.token_of(value)
    name, _, edge = path.partition("/")
    node = graph.node_of(name, token)
    return GraphCall(graph, token, node, request.method, edge, params, files, time.monotonic(), base)


def _token(request: web.Request, params: dict[str, Any]) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    given = params.get("access_token", "")
    return value.strip() if kind.lower() == "bearer" else given if isinstance(given, str) else ""


async def _read(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
    params: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if not request.body_exists:
        return params, files
    try:
        if request.content_type == "application/json":
            body = await request.read()
            given = orjson.loads(body) if body.strip() else {}
            if not isinstance(given, dict):
                raise bad_parameter("Invalid parameter")
            params |= given
        else:
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    files[name] = Upload(value.filename, value.content_type, value.file.read())
                else:
                    params[name] = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
    except web.HTTPRequestEntityTooLarge:
        raise GraphError(413, 1, "Request entity too large") from None
    except ValueError:
        raise bad_parameter("The request body cannot be read") from None
    return params, files
