"""`entities` and `caption_entities` as a bot gives them: which are taken, which are passed over, which are refused."""

from __future__ import annotations

from typing import Any

from simulator.entities.links import date_format, link_entity, unix_time
from simulator.entities.overlaps import QUOTES, STYLES
from simulator.entities.units import EntityError, utf16_length
from simulator.errors import bad_request

FOUND = ("mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number")
"""Kinds that Telegram looks for by itself, and passes over when they are given."""

JSON = dict[str, Any]


def explicit_entities(text: str, given: Any) -> list[JSON]:
    """The entities to keep, of a value that came with a request. Raises ApiError 400."""
    if not isinstance(given, list):
        raise bad_request("expected an Array of MessageEntity")
    borders = _borders(text)
    entities = []
    for value in given:
        if not isinstance(value, dict):
            raise _unreadable("expected an Object")
        offset, length = _number(value, "offset"), _number(value, "length")
        entity = _typed(value, offset, length)
        if entity is None:
            continue
        _check_place(borders, offset, length)
        if length:
            entities.append(entity)
    return entities


def _unreadable(reason: str) -> Exception:
    return bad_request(f"can't parse MessageEntity: {reason}")


def _number(value: JSON, name: str) -> int:
    number = value.get(name)
    if number is None:
        raise _unreadable(f'Can\'t find field "{name}"')
    if isinstance(number, str) and number.removeprefix("-").isdecimal() and len(number) <= 11:
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool):
        raise _unreadable(f'Field "{name}" must be a valid Number')
    return number


def _text(value: JSON, name: str) -> str:
    text = value.get(name)
    if text is None:
        raise _unreadable(f'Can\'t find field "{name}"')
    if not isinstance(text, str):
        raise _unreadable(f'Field "{name}" must be of type String')
    return text


def _typed(value: JSON, offset: int, length: int) -> JSON | None:
    """The entity with what its kind needs; None where it is passed over."""
    kind = _text(value, "type")
    entity: JSON = {"offset": offset, "length": length, "type": kind}
    if not kind:
        raise _unreadable("Type is not specified")
    if kind in FOUND:
        return None
    if kind in STYLES + QUOTES or kind == "code":
        return entity
    if kind == "pre":
        language = value.get("language")
        return {**entity, "language": language} if isinstance(language, str) and language else entity
    if kind == "text_link":
        return link_entity(_text(value, "url"), offset, length)
    if kind == "text_mention":
        user = value.get("user")
        if not isinstance(user, dict):
            raise _unreadable('Can\'t find field "user"')
        return {**entity, "user": {"id": _number(user, "id")}}
    if kind == "custom_emoji":
        emoji = _text(value, "custom_emoji_id")
        if not emoji.isdecimal():
            raise bad_request("invalid custom emoji identifier specified")
        return {**entity, "custom_emoji_id": emoji}
    if kind == "date_time":
        return entity | _moment(value)
    raise _unreadable("Unsupported type specified")


def _moment(value: JSON) -> JSON:
    if "unix_time" not in value:
        raise _unreadable('Can\'t find field "unix_time"')
    moment = unix_time(value["unix_time"])
    if not moment:
        raise bad_request("invalid date specified")
    given = value.get("date_time_format") or ""
    try:
        form = date_format(given if isinstance(given, str) else "?")
    except EntityError:
        raise _unreadable("Invalid date-time format specified") from None
    # Unlike in a parse mode, the one that was named last counts.
    for pair in ("dD", "tT"):
        named = [letter for letter in given if letter in pair]
        if named:
            form = "".join(named[-1] if letter in pair else letter for letter in form)
    return {"unix_time": moment, "date_time_format": form}


def _borders(text: str) -> set[int] | range:
    """The offsets at which a character begins or the text ends, in UTF-16 units."""
    if text.isascii():
        return range(len(text) + 1)
    offset, borders = 0, {0}
    for character in text:
        offset += utf16_length(character)
        borders.add(offset)
    return borders


def _check_place(borders: set[int] | range, offset: int, length: int) -> None:
    size = max(borders)
    if offset < 0:
        raise bad_request(f"receive an entity with incorrect offset {offset}")
    if length < 0:
        raise bad_request(f"receive an entity with incorrect length {length}")
    if offset > size:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {offset}")
    start = f"entity beginning at UTF-16 offset {offset} ends"
    if offset + length > size:
        raise bad_request(f"{start} after the end of the text at UTF-16 offset {offset + length}")
    if offset not in borders:
        raise bad_request(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {offset}")
    if offset + length not in borders:
        raise bad_request(f"{start} in a middle of a UTF-16 symbol at UTF-16 offset {offset + length}")
