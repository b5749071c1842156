"""Keeping other people's pages out: a browser on this machine must not act here for a page from elsewhere.

There are no passwords, so a page on any website could otherwise send requests to this port (by a form, a picture,
a script), or read the answers once its own name was made to point to this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

OWN_SITES = ("same-origin", "none")
GUARDED = ("/bot", "/file/", "/control/", "/graph/", "/graph-media/")


def host_name(host: str) -> str:
    """The name in a Host header or origin, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def is_own_name(name: str, allowed: frozenset[str]) -> bool:
    """True for names that nobody else can point here: addresses, localhost, and those that were allowed."""
    if name in allowed or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def refusal(request: web.Request, allowed: frozenset[str]) -> str:
    """Why a request is not carried out, "" when it is."""
    headers = request.headers
    host = headers.get("Host", "")
    if host and not is_own_name(host_name(host), allowed):
        return f"this simulator is not called {host_name(host)}: start it with --allow-host"
    if not request.path.startswith(GUARDED):
        return ""
    origin = headers.get("Origin")
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return "this request comes from a page of another origin"
    if headers.get("Sec-Fetch-Site", "none").lower() not in OWN_SITES:
        return "this request comes from a page of another site"
    return ""


def guard(allowed: Iterable[str] = ()) -> Middleware:
    """A middleware that refuses, with 403, what comes for another host name or from another site's page."""
    names = frozenset(name.lower() for name in allowed)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = refusal(request, names)
        if not reason:
            return await handler(request)
        answer: dict[str, object] = {"ok": False, "error_code": 403, "description": f"Forbidden: {reason}"}
        if not request.path.startswith(("/bot", "/file/")):
            answer = {"error": {"code": "forbidden", "message": reason}}
        return web.Response(body=orjson.dumps(answer), status=403, content_type="application/json")

    return check
