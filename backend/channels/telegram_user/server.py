"""Where Telegram's servers are: Telegram's own, or the simulator's that `TELEGRAM_MTPROTO_SERVER` names.

The variable is `tcp://host:port?key=…`, with the http address or the path of the server's public key (PKCS#1 in PEM).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import requests
from telethon.crypto import rsa

DATA_CENTER: Final = 2
"""The one at which a new login begins."""
_TELEGRAM: Final = ("149.154.167.51", 443)
_KEY_SECONDS: Final = 5.0
_MAX_KEY: Final = 10_000


class ServerMisconfigured(ValueError):
    """`TELEGRAM_MTPROTO_SERVER` cannot be understood, or its key cannot be read."""


@dataclass(frozen=True, slots=True)
class Address:
    """A data center and where it is."""

    dc: int
    host: str
    port: int


def is_simulated(server: str) -> bool:
    """Whether the variable names a server that is not Telegram's."""
    return bool(server)


def first_address(server: str) -> Address:
    """Where a new login begins. Raises ServerMisconfigured."""
    if not server:
        return Address(DATA_CENTER, *_TELEGRAM)
    parts = urlsplit(server)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme != "tcp" or not host or not port:
        raise ServerMisconfigured("TELEGRAM_MTPROTO_SERVER has not the form tcp://host:port?key=…")
    return Address(DATA_CENTER, host, port)


@lru_cache(maxsize=4)
def trust_key(server: str) -> None:
    """Adds the simulated server's public key to those that this process trusts; Telegram's own are known. Raises
    ServerMisconfigured, also while the key cannot be read yet."""
    if not server:
        return
    place = parse_qs(urlsplit(server).query).get("key", [""])[0]
    try:
        if urlsplit(place).scheme in ("http", "https"):
            answer = requests.get(place, timeout=_KEY_SECONDS)
            answer.raise_for_status()
            pem = answer.text[:_MAX_KEY]
        else:
            pem = Path(place).read_text(encoding="ascii")[:_MAX_KEY]
        rsa.add_key(pem, old=False)
    except (requests.RequestException, OSError, ValueError) as error:
        raise ServerMisconfigured(f"the key of TELEGRAM_MTPROTO_SERVER: {type(error).__name__}") from None
