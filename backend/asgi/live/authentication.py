"""Authentication of live connections and large bodies: by bearer token, or by the cookie of one of our pages.

Called in threads, without a request: the credentials are read once, and those of a connection checked again while it
lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core.database import db, system_scope
from backend.core.errors import Forbidden, Unauthorized, Unavailable
from backend.core.logging import get_logger
from backend.http import guards, limits
from backend.http.guards import Guard
from backend.services.auth.actor import READ, Actor

log = get_logger(__name__)

CookieReader = Callable[[dict[str, str]], Actor | None]
_cookie_reader: CookieReader | None = None


def read_cookies_with(reader: CookieReader | None) -> None:
    """Has `reader` find the person of a page's cookies: their actor, None without a sign-in of its kind; it raises
    Unauthorized for one that is over. It is called in an app context, in no scope, and again every minute."""
    global _cookie_reader
    _cookie_reader = reader


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin that a request names, and the host that it asks."""

    origin: str | None
    fetch_site: str | None
    host: str
    websocket: bool

    @property
    def is_same(self) -> bool:
        """Whether a page of this very origin asks, as far as browsers say.

        A browser names the origin of every WebSocket. Of other requests an old one, or one on plain http, may say
        nothing at all; a cookie that is kept to the site does not come from elsewhere then, and nobody elsewhere could
        read the answer.
        """
        if self.origin is not None:
            named = urlsplit(self.origin)
            # `Origin: null` has no host; a default port is left out by browsers in both headers.
            return named.scheme in ("http", "https") and bool(named.netloc) and named.netloc == self.host
        if self.websocket:
            return False
        return self.fetch_site in (None, "same-origin")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a connection. Never logged."""

    authorization: str | None = field(repr=False)
    cookie: str | None = field(repr=False)
    origin: Origin


_NEEDS: Final = "A personal access token needs the scope read for this."


def identify(app: Flask, credentials: Credentials, *, count: bool) -> Actor:
    """Finds the actor of these credentials. Raises Unauthorized, Forbidden and, with `count`, TooManyRequests."""
    with app.app_context():
        try:
            actor = _identify(credentials)
            if not actor.may(READ):
                raise Forbidden("scope_missing", _NEEDS)
            if count:
                limits.count_call(actor)
            with system_scope("a token's last use"):
                db.session.commit()
        except BaseException:
            db.session.rollback()
            raise
        return actor


def may_send(app: Flask, guard: Guard, method: str, authorization: str | None, cookie: str | None) -> bool:
    """Whether these credentials open the view with this guard, which is to be known before a body is read.

    Raises Unavailable while the database is away.
    """
    with app.app_context():
        try:
            if guard.console:
                caller = _cookie_reader(_cookies(cookie)) if cookie is not None and _cookie_reader is not None else None
            else:
                caller = guards.by_token(guards.token_of(authorization or ""))
            if caller is None:
                return False
            guards.check(guard, caller, method)
            with system_scope("a token's last use"):
                db.session.commit()
        except (Unauthorized, Forbidden):
            db.session.rollback()
            return False
        except (DBAPIError, PoolTimeout) as error:
            db.session.rollback()
            log.warning("database_away", error=type(error).__name__)
            raise Unavailable("database_unavailable", retry_after=2) from None
        except BaseException:
            db.session.rollback()
            raise
        return True


def _identify(credentials: Credentials) -> Actor:
    if credentials.authorization is not None:
        return guards.by_token(guards.token_of(credentials.authorization))
    if credentials.cookie is None or _cookie_reader is None:
        raise Unauthorized()
    if not credentials.origin.is_same:
        raise Forbidden("other_origin", "A page of another origin cannot listen here.")
    actor = _cookie_reader(_cookies(credentials.cookie))
    if actor is None:
        raise Unauthorized()
    return actor


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
