"""What a message holds besides its words, as the thread shows it: files, a place, cards, an order, a story …"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from babel.numbers import format_decimal

from backend.http.console.kit import pages

Tile = tuple[str, str, str, str | None, str]
"""An icon, a title, a note, an address and the words of its link."""

IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
VIDEOS: Final = frozenset({"video/mp4", "video/webm", "video/3gpp", "video/quicktime"})
SOUNDS: Final = frozenset(
    {"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/wav", "audio/webm", "audio/x-m4a"}
)
_ICONS: Final = {"photo": "eye", "video": "play", "video_note": "play", "audio": "play", "voice": "play"}
_MAX_TILES: Final = 20


def t(code: str, /, **values: object) -> str:
    """A text of the page in the reader's language."""
    return pages.t(f"console_inbox.{code}", **values)


def shown_as(mime: str | None) -> str | None:
    """`image`, `video` or `audio` where a browser may show this type in the page; None for what is only downloaded."""
    plain = (mime or "").partition(";")[0].strip().lower()
    if plain in IMAGES:
        return "image"
    if plain in VIDEOS:
        return "video"
    return "audio" if plain in SOUNDS else None


def file_view(file: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    """A file of a message, by `kind`, `filename`, `mime`, `size`, `duration`, `state` and `reason`; `address` is where
    it is served from, None where it is not here."""
    kind = str(file.get("kind") or "document")
    name = file.get("filename") or kind_word(kind)
    return {
        "kind": kind,
        "name": name,
        "label": f"{kind_word(kind)}: {file['filename']}" if file.get("filename") else kind_word(kind),
        "note": " · ".join(_notes(file, address)),
        "icon": _ICONS.get(kind, "file-text"),
        "address": address,
        "shown_as": shown_as(file.get("mime")) if address else None,
    }


def kind_word(kind: str) -> str:
    """What a message of this kind is called; the kind itself where it has no word."""
    try:
        return t(f"kind.{kind}")
    except KeyError:
        return kind


def size_words(size: int) -> str:
    """Bytes as people read them."""
    for limit, unit in ((1024 * 1024, "MB"), (1024, "KB")):
        if size >= limit:
            return f"{format_decimal(round(size / limit, 1), locale=pages.locale())} {unit}"
    return f"{size} B"


def tiles(content: Mapping[str, Any] | None) -> list[Tile]:
    """What else the message holds, one tile each, in a fixed order."""
    content = content or {}
    all_tiles = [tile for name, make in _MAKERS if content.get(name) for tile in make(content[name])]
    return all_tiles[:_MAX_TILES]


def safe_address(address: object) -> str | None:
    """The address where it is one of the web; what a stranger sends may be anything."""
    given = str(address or "")
    return given if urlsplit(given).scheme in ("http", "https") and len(given) <= 2000 else None


def _notes(file: Mapping[str, Any], address: str | None) -> list[str]:
    notes = []
    if file.get("duration"):
        minutes, seconds = divmod(int(file["duration"]), 60)
        notes.append(f"{minutes}:{seconds:02}")
    if file.get("size"):
        notes.append(size_words(int(file["size"])))
    if address is None and file.get("state") != "stored":
        notes.append(_why_not(str(file.get("state") or "waiting"), file.get("reason")))
    return notes


def _why_not(state: str, reason: str | None) -> str:
    known = ("remote", "waiting", "fetching", "too_large", "protected", "view_once", "unavailable")
    if state in known:
        return t(f"file.{state}")
    return t("file.failed", code=reason or state)


def _location(value: Mapping[str, Any]) -> list[Tile]:
    latitude, longitude = value.get("latitude"), value.get("longitude")
    where = f"{latitude}, {longitude}"
    title = value.get("name") or t("kind.location")
    note = " · ".join(part for part in (value.get("address"), where) if part)
    address = f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}"
    return [("map-pin", title, note, address, t("map"))]


def _contacts(cards: Sequence[Mapping[str, Any]]) -> list[Tile]:
    shown_cards: list[Tile] = []
    for card in cards:
        reached = [*card.get("phones", ()), *card.get("emails", ())]
        proof = [] if card.get("proves_number") else [t("card_proves_nothing")]
        note = " · ".join([*(str(value) for value in reached), *filter(None, [card.get("organization")]), *proof])
        shown_cards.append(("contact", card.get("name") or t("kind.contact"), note, None, ""))
    return shown_cards


def _choice(value: Mapping[str, Any]) -> list[Tile]:
    fields = " · ".join(f"{name}: {given}" for name, given in (value.get("values") or {}).items())
    return [("list-checks", value.get("title") or t("kind.choice"), fields or t("choice"), None, "")]


def _order(value: Mapping[str, Any]) -> list[Tile]:
    lines = []
    for item in value.get("items", ()):
        price = f" · {item['price']} {item.get('currency') or ''}".rstrip() if item.get("price") else ""
        lines.append(f"{item.get('quantity')} × {item.get('product_id')}{price}")
    return [("tag", t("kind.order"), ", ".join(lines), None, "")]


def _referral(value: Mapping[str, Any]) -> list[Tile]:
    title = value.get("headline") or t("kind.referral")
    note = value.get("reference") or value.get("source_id") or ""
    return [
        ("megaphone", title, t("referral", source=note) if note else "", safe_address(value.get("url")), t("show_it"))
    ]


def _story(value: Mapping[str, Any]) -> list[Tile]:
    words = t("story.mention" if value.get("kind") == "mention" else "story.reply")
    return [("instagram", words, "", safe_address(value.get("url")), t("show_it"))]


def _shares(values: Sequence[Mapping[str, Any]]) -> list[Tile]:
    return [
        (
            "link",
            value.get("title") or t("kind.share"),
            str(value.get("kind") or ""),
            safe_address(value.get("url")),
            t("show_it"),
        )
        for value in values
    ]


def _call(value: Mapping[str, Any]) -> list[Tile]:
    seconds = value.get("seconds")
    minutes, rest = divmod(int(seconds or 0), 60)
    note = f"{minutes}:{rest:02}" if seconds else str(value.get("state") or "")
    return [("phone", t("kind.call"), note, None, "")]


_MAKERS: Final[tuple[tuple[str, Callable[[Any], list[Tile]]], ...]] = (
    ("referral", _referral),
    ("story", _story),
    ("location", _location),
    ("contacts", _contacts),
    ("choice", _choice),
    ("order", _order),
    ("shares", _shares),
    ("call", _call),
)
