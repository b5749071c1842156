"""What goes around every request and answer: its id, security headers, and who may read it from another origin."""

from __future__ import annotations

import re
import time
import uuid
from typing import Final

import structlog
from apiflask import APIFlask
from flask import Response, g, request

from backend.core.config import Settings
from backend.core.logging import get_logger

log = get_logger(__name__)

REQUEST_ID = "X-Request-ID"
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EXPOSED = "X-Request-ID, X-Device-Token, Retry-After, Idempotent-Replayed, WWW-Authenticate"
_ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-Request-ID, X-Device-Token"
_ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_QUIET = frozenset({"health.alive", "health.ready"})
"""Asked every few seconds by a router: not worth a line each."""


def install(app: APIFlask, settings: Settings) -> None:
    """Adds the envelope to every request of the application."""
    origins = frozenset(origin.rstrip("/") for origin in settings.cors_origins)
    secure = settings.site_url.startswith("https://")

    @app.before_request
    def begin() -> None:
        offered = request.headers.get(REQUEST_ID, "")
        g.request_id = offered if _ACCEPTABLE_ID.fullmatch(offered) else uuid.uuid4().hex
        g.started = time.perf_counter()
        for name in ("actor", "me", "locale", "timezone"):
            g.pop(name, None)
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        _protect(response, secure)
        if request.path.startswith("/api/"):
            _allow_origin(response, origins)
        if request.endpoint not in _QUIET or response.status_code >= 500:
            log.info(
                "request",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - g.started) * 1000, 1),
                actor=g.actor.label if "actor" in g else None,
            )
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        structlog.contextvars.unbind_contextvars("request_id")


_PROTECTION: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_SECURE_PROTECTION: Final = (*_PROTECTION, ("Strict-Transport-Security", "max-age=31536000"))


def _protect(response: Response, secure: bool) -> None:
    """Adds the headers that the view has not set itself."""
    present = {name.lower() for name in response.headers.keys()}  # noqa: SIM118 - its items are pairs
    missing = [pair for pair in (_SECURE_PROTECTION if secure else _PROTECTION) if pair[0].lower() not in present]
    response.headers.extend(missing)


def _allow_origin(response: Response, origins: frozenset[str]) -> None:
    """Never with credentials: the API takes headers only, so a page of another origin has to hold a token itself."""
    if not origins:
        return
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is None or not ("*" in origins or origin in origins):
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
        response.headers["Access-Control-Allow-Methods"] = _ALLOWED_METHODS
        response.headers["Access-Control-Max-Age"] = "600"
