"""What the address of a link means: a page, a person, a custom emoji, a moment."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from simulator.entities.units import EntityError

_TG = re.compile(r"tg:(?://)?([a-z]+)/?(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_FORMAT = re.compile(r"[rR]|[tTdDwW]*")
_LATEST = 2**31 - 1
_LARGEST = 2**63 - 1


def link_address(address: str) -> str:
    """The address of a link as Telegram keeps it (http:// added where no scheme is given), or "" when it is
    none.
    """
    address = address.strip()
    if not address or any(character.isspace() for character in address):
        return ""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*):(?!\d)", address)
    if scheme:
        kind = scheme.group(1).lower()
        if kind in ("tg", "mailto", "tel", "ton", "tonsite"):
            return address
        if kind not in ("http", "https"):
            return ""
        host = re.match(r"https?://([^/?#:@]+)", address, re.IGNORECASE)
        if host is None or "." not in host.group(1):
            return ""
        return _with_path(address)
    if "." not in re.split(r"[/?#]", address, maxsplit=1)[0]:
        return ""
    return _with_path("http://" + address)


def _with_path(address: str) -> str:
    """The address with a "/" behind the host, where a query or nothing follows."""
    match = re.match(r"([a-z]+://[^/?#]+)(.*)", address, re.IGNORECASE | re.DOTALL)
    if match is None or match[2].startswith("/"):
        return address
    return f"{match[1]}/{match[2]}"


def link_entity(address: str, offset: int, length: int) -> dict[str, Any] | None:
    """The entity of a link: text_link, or text_mention (with the bare id of the person) for a
    tg://user address; None for an address that is none.
    """
    entity: dict[str, Any] = {"offset": offset, "length": length}
    person = _positive(_tg(address, "user"), "id")
    if person:
        return {**entity, "type": "text_mention", "user": {"id": person}}
    url = link_address(address)
    return {**entity, "type": "text_link", "url": url} if url else None


def emoji_or_time(address: str, offset: int, length: int) -> dict[str, Any]:
    """The entity of `![…](address)`. Raises EntityError for anything but tg://emoji and tg://time."""
    entity: dict[str, Any] = {"offset": offset, "length": length}
    emoji = _positive(_tg(address, "emoji"), "id")
    if emoji:
        return {**entity, "type": "custom_emoji", "custom_emoji_id": str(emoji)}
    query = _tg(address, "time")
    moment = _positive(query, "unix")
    if not 0 < moment <= _LATEST:
        raise EntityError("Invalid tg://emoji or tg://time URL specified")
    return {**entity, "type": "date_time", "unix_time": moment, "date_time_format": date_format(query.get("format"))}


def date_format(given: str | None) -> str:
    """A format of a date_time entity in Telegram's order: w or W, d or D, t or T; or r alone. Of two widths
    the shorter. Raises EntityError for any other letter.
    """
    if not given:
        return ""
    if not _FORMAT.fullmatch(given):
        raise EntityError("Invalid date format used")
    if given in "rR":
        return "r"
    parts = ["w" if "w" in given.lower() else ""]
    parts += [next((letter for letter in pair if letter in given), "") for pair in ("dD", "tT")]
    return "".join(parts)


def unix_time(value: Any) -> int:
    """Unix seconds of a date_time entity, 0 for what is none."""
    number = int(value) if isinstance(value, int) or (isinstance(value, str) and _NUMBER.fullmatch(value)) else 0
    return number if 0 < number <= _LATEST else 0


def _tg(address: str, host: str) -> dict[str, str]:
    match = _TG.fullmatch(address.strip())
    if match is None or match[1].lower() != host:
        return {}
    return dict(reversed(parse_qsl(match[2] or "")))


def _positive(query: dict[str, str], name: str) -> int:
    value = query.get(name, "")
    number = int(value) if _NUMBER.fullmatch(value) else 0
    return number if number <= _LARGEST else 0
