"""How a device shows that somebody has signed in on it before, and is given the mark that it keeps for that.

A program shows the mark in a header, or simply an earlier access or refresh token as the bearer of its login, expired
or not: what every client has kept anyway. A browser shows the console's cookie. Neither opens anything by itself.
"""

from __future__ import annotations

from typing import Final

from flask import Response, request

from backend.core import config
from backend.core.errors import Unauthorized
from backend.http import guards, jwt, limits
from backend.services.auth import devices
from backend.services.auth.sign_in import Caller

HEADER: Final = "X-Device-Token"


def api_caller() -> Caller:
    """Who makes this login through the API: by headers only."""
    shown = request.headers.get(HEADER)
    claims = _earlier_token()

    def device_of(user_id: int) -> str | None:
        device = devices.device_of(shown, user_id)
        if device is None and claims is not None and claims.user_id == user_id:
            device = f"sign_in:{claims.sign_in_id}"
        return device

    known = claims is not None or devices.is_known(shown)
    return Caller(limits.network(), request.user_agent.string, device_of, known)


def console_caller() -> Caller:
    """Who makes this login in the console: by cookie only."""
    shown = request.cookies.get(cookie_name())

    def device_of(user_id: int) -> str | None:
        return devices.device_of(shown, user_id)

    return Caller(limits.network(), request.user_agent.string, device_of, devices.is_known(shown))


def remember_in_header(response: Response, user_id: int) -> None:
    """Gives a program the mark of this person, to show at its next login."""
    response.headers[HEADER] = devices.mark(user_id, request.headers.get(HEADER))


def remember_in_cookie(response: Response, user_id: int) -> None:
    """Gives a browser the mark of this person."""
    secure = config.get().site_url.startswith("https://")
    response.set_cookie(
        cookie_name(),
        devices.mark(user_id, request.cookies.get(cookie_name())),
        max_age=int(devices.LIFE.total_seconds()),
        secure=secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def cookie_name() -> str:
    """With the prefix that keeps other hosts of the domain from setting it, where browsers allow it."""
    secure = config.get().site_url.startswith("https://")
    return "__Host-switchboard-device" if secure else "switchboard-device"


def _earlier_token() -> jwt.Claims | None:
    try:
        return jwt.read_past(guards.bearer(), devices.LIFE)
    except Unauthorized:
        return None
