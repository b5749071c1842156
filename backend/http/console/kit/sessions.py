"""Being signed in by cookie: the cookie names a sign-in and proves it; everything else is read from the database.

It is neither an access nor a refresh token: the API takes none of it, and the console takes nothing else. A sign-in
that is ended or a person who is disabled is out with the next request.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response, request

from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.errors import Forbidden, Unauthorized
from backend.models import SignIn
from backend.services.auth import credentials, sign_in
from backend.services.auth.actor import Actor

_PURPOSE: Final = "console-session"
_CSRF: Final = "console-csrf"
_REFRESH_EVERY: Final = timedelta(hours=1)
CSRF_FIELD: Final = "csrf_token"
CSRF_HEADER: Final = "X-CSRF-Token"


def is_secure() -> bool:
    """Whether people come by https: then the cookie travels no other way."""
    return config.get().site_url.startswith("https://")


def cookie_name() -> str:
    """With the prefix that keeps other hosts of the domain from setting it, where browsers allow it."""
    return "__Host-switchboard" if is_secure() else "switchboard"


def open_session(response: Response, begun: SignIn) -> None:
    """Gives the browser the cookie of a sign-in."""
    named = f"{begun.user_id}.{begun.id}"
    value = f"{named}.{_encode(keyring().sign(_PURPOSE, named.encode()))}"
    response.set_cookie(
        cookie_name(),
        value,
        max_age=int(sign_in.REFRESH_LIFE.total_seconds()),
        secure=is_secure(),
        httponly=True,
        samesite="Lax",
        path="/",
    )


def close_session(response: Response) -> None:
    """Takes the cookie back."""
    response.delete_cookie(cookie_name(), secure=is_secure(), httponly=True, samesite="Lax", path="/")


def caller(cookie: str | None) -> Actor:
    """Who a console cookie speaks for. Raises Unauthorized. A sign-in in use lives on."""
    user_id, sign_in_id = _named(cookie or "")
    actor = credentials.by_sign_in(user_id, sign_in_id)
    with system_scope("who is signed in decides the workspace"):
        begun = db.session.get_one(SignIn, sign_in_id)
        if clock.now() - begun.refreshed_at > _REFRESH_EVERY:
            begun.refreshed_at = clock.now()
            begun.expires_at = begun.refreshed_at + sign_in.REFRESH_LIFE
    return actor


def caller_by(cookies: dict[str, str]) -> Actor | None:
    """The same for who opens a live connection; None without our cookie. Raises Unauthorized."""
    value = cookies.get(cookie_name())
    return None if value is None else caller(value)


def csrf_token(actor: Actor) -> str:
    """What every form of this sign-in carries: never twice the same, so that the size of a compressed page tells
    nothing of it."""
    proof = _csrf_proof(actor)
    mask = secrets.token_bytes(len(proof))
    return _encode(mask + _xor(proof, mask))


def require_own_page(own: Request, actor: Actor | None = None) -> None:
    """Refuses a write that does not come from one of our pages. Raises Forbidden (`cross_site`).

    The browser's own word on where the request was made, and, of somebody who is signed in, the token of their forms.
    """
    refusal = Forbidden("cross_site", "This request did not come from a page of this console. Load the page again.")
    site = own.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise refusal
    origin = own.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc not in (own.host, urlsplit(config.get().site_url).netloc):
        raise refusal
    if site is None and origin is None:
        raise refusal
    if actor is not None:
        given = _decode(own.headers.get(CSRF_HEADER) or own.form.get(CSRF_FIELD, ""))
        half = len(given) // 2
        if not secrets.compare_digest(_xor(given[half:], given[:half]), _csrf_proof(actor)):
            raise refusal


def present() -> str | None:
    """The request's console cookie."""
    return request.cookies.get(cookie_name())


def _named(value: str) -> tuple[int, int]:
    refusal = Unauthorized()
    named, _, proof = value.rpartition(".")
    user_id, _, sign_in_id = named.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (user_id, sign_in_id)):
        raise refusal
    if not keyring().verify(_PURPOSE, named.encode(), _decode(proof)):
        raise refusal
    return int(user_id), int(sign_in_id)


def _csrf_proof(actor: Actor) -> bytes:
    return keyring().sign(_CSRF, f"{actor.user_id}.{actor.sign_in_id}".encode())


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


def _decode(text: str) -> bytes:
    """The bytes; none where the text is malformed."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
