"""Access and refresh tokens, through flask-jwt-extended, with everything pinned that a forger could choose.

Expiry is checked here against business time and not by the library, which only knows the machine's clock; `iat` stays
the machine's, so the library's own check of it holds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from apiflask import APIFlask
from flask import current_app
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from backend.core import clock
from backend.core.config import Settings
from backend.core.errors import Unauthorized

ALGORITHM = "HS256"
ISSUER = "switchboard"
AUDIENCE = "switchboard-api"
ACCESS_LIFE = timedelta(hours=1)
_MAX_CHARACTERS = 4096
_MAX_ID = 2**63 - 1
_MAX_VERIFIED = 4096
_verified: dict[bytes, tuple[Claims, int, str]] = {}
"""What tokens say whose signature this process has verified, by a digest of the token, the oldest first."""

Kind = Literal["access", "refresh"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: the person, the sign-in it belongs to, and the token's own id."""

    user_id: int
    sign_in_id: int
    jti: str


def configure(app: APIFlask, settings: Settings) -> None:
    """Installs the library with algorithm, issuer, audience and place pinned."""
    app.config.update(
        JWT_SECRET_KEY=settings.jwt_secret_key,
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ENCODE_NBF=False,
        JWT_COOKIE_CSRF_PROTECT=False,  # there are no cookies
        JWT_DECODE_LEEWAY=5,
    )
    JWTManager(app)


def access_token(user_id: int, sign_in_id: int) -> str:
    """An access token that lives an hour."""
    expires = int((clock.now() + ACCESS_LIFE).timestamp())
    claims = {"sid": sign_in_id, "exp": expires}
    return str(create_access_token(str(user_id), expires_delta=False, additional_claims=claims))


def refresh_token(user_id: int, sign_in_id: int, jti: str, expires: float) -> str:
    """The sign-in's present refresh token; `expires` in seconds since 1970."""
    claims = {"sid": sign_in_id, "jti": jti, "exp": int(expires)}
    return str(create_refresh_token(str(user_id), expires_delta=False, additional_claims=claims))


def read(token: str, kind: Kind) -> Claims:
    """What a token of this kind says. Raises Unauthorized (`token_expired`, or `unauthorized` for any other fault)."""
    claims, expires = _read(token, (kind,))
    if expires <= clock.unix():
        raise Unauthorized("token_expired", "The token has expired.")
    return claims


def read_past(token: str, for_as_long: timedelta) -> Claims:
    """What a token of either kind says, also for a time after it expired. Raises Unauthorized."""
    claims, expires = _read(token, ("access", "refresh"))
    if expires + for_as_long.total_seconds() <= clock.unix():
        raise Unauthorized("token_expired", "The token has expired.")
    return claims


def _read(token: str, kinds: tuple[Kind, ...]) -> tuple[Claims, int]:
    """What a token of these kinds says, and when it expires in seconds since 1970. Raises Unauthorized."""
    if len(token) > _MAX_CHARACTERS:
        raise Unauthorized()
    secret: str = current_app.config["JWT_SECRET_KEY"]
    # The signature of the same text never changes its mind; expiry and revocation are checked each time.
    place = hashlib.sha256(f"{secret}.{token}".encode("utf-8", "surrogatepass")).digest()
    verified = _verified.get(place)
    if verified is None:
        verified = _verify(token)
        while len(_verified) >= _MAX_VERIFIED:
            _verified.pop(next(iter(_verified), place), None)
        _verified[place] = verified
    claims, expires, kind = verified
    if kind not in kinds:
        raise Unauthorized()
    return claims, expires


def _verify(token: str) -> tuple[Claims, int, str]:
    """What a token with a valid signature says, when it expires, and its kind. Raises Unauthorized."""
    refusal = Unauthorized()
    try:
        claims: dict[str, Any] = decode_token(token, allow_expired=True)
        user_id, sign_in_id, jti, expires = int(claims["sub"]), claims["sid"], claims["jti"], claims["exp"]
    except (PyJWTError, JWTExtendedException, ValueError, KeyError, TypeError, RecursionError):
        raise refusal from None
    # The library takes a token without a type for an access token; ours always say what they are.
    typed = "type" in json.loads(base64url_decode(token.split(".")[1]))
    whole = typed and type(sign_in_id) is int and type(expires) is int and isinstance(jti, str) and bool(jti)
    if not whole or not 0 < user_id <= _MAX_ID or not 0 < sign_in_id <= _MAX_ID:
        raise refusal
    return Claims(user_id, sign_in_id, jti), expires, str(claims.get("type"))
