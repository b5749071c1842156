"""Who a WhatsApp person is: their number, over the variants in which it is written, and business-scoped ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.inbound import Chat, Person, PersonId

NUMBER: Final = "number"
BSUID: Final = "bsuid"
PARENT: Final = "parent_bsuid"
_DIGITS: Final = re.compile(r"\+?([0-9]{5,20})", re.ASCII)
_BSUID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}", re.ASCII)
_MAX_NAME: Final = 200


def digits_of(value: Any) -> str:
    """The digits of a number; empty for what is none."""
    match = _DIGITS.fullmatch(reading.identifier(value))
    return match[1] if match else ""


def canonical(digits: str) -> str:
    """The one form of a number that WhatsApp writes in two: Brazilian mobile numbers have nine digits after the area,
    Argentine ones a 9 after the country, Mexican ones no 1."""
    match digits[:2]:
        case "55" if len(digits) == 12 and digits[4] in "6789":
            return f"{digits[:4]}9{digits[4:]}"
        case "54" if len(digits) == 12 and digits[2] != "9":
            return f"549{digits[2:]}"
        case "52" if len(digits) == 13 and digits[2] == "1":
            return f"52{digits[3:]}"
    return digits


def is_bsuid(value: str) -> bool:
    """Whether this is a business-scoped id, to which one sends by `recipient` and not by `to`."""
    return _BSUID.fullmatch(value) is not None


def ids_of(number: Any, bsuid: Any, parent: Any) -> tuple[PersonId, ...]:
    """A person's ids, the most lasting first: the number where there is one, then those of the business."""
    digits = canonical(digits_of(number))
    named = ((NUMBER, digits), (BSUID, reading.identifier(bsuid)), (PARENT, reading.identifier(parent)))
    return tuple(PersonId(kind, value) for kind, value in named if value)


def person_of(message: Mapping[str, Any], contact: Mapping[str, Any], side: str = "from") -> Person | None:
    """The person of a message (`side` is `from`, of an echo `to`), with what the entry of `contacts` adds. None where
    the body names nobody."""
    number = digits_of(message.get(side)) or digits_of(contact.get("wa_id"))
    bsuid = message.get(f"{side}_user_id") or contact.get("user_id")
    parent = message.get(f"{side}_parent_user_id") or contact.get("parent_user_id")
    ids = ids_of(number, bsuid, parent)
    if not ids and (raw := reading.identifier(message.get(side))):
        ids = (PersonId(NUMBER, raw),)
    if not ids:
        return None
    profile = reading.mapping(contact, "profile")
    return Person(
        id=ids[0].id,
        name=reading.text(profile.get("name"), _MAX_NAME).strip() or ids[0].id,
        username=reading.text(profile.get("username"), _MAX_NAME).strip() or None,
        other_ids=ids[1:],
        phone=f"+{canonical(number)}" if number else None,
    )


def chat_with(person: Person) -> Chat:
    """The conversation with a person: what one sends to is their id."""
    return Chat(person.id, "private", username=person.username, name=person.name)


class Contacts:
    """The entries of a change's `contacts`, found by the ids of the person that an event is about."""

    def __init__(self, contacts: Any) -> None:
        self._known = list(reading.objects(contacts))
        self._by_id: dict[str, Mapping[str, Any]] = {}
        for contact in self._known:
            for value in (canonical(digits_of(contact.get("wa_id"))), reading.identifier(contact.get("user_id"))):
                if value:
                    self._by_id.setdefault(value, contact)

    def of(self, event: Mapping[str, Any], place: int, count: int) -> Mapping[str, Any]:
        """The entry about the person of an event: by their ids, else the only one, else the one in the same place of as
        many as there are events; empty for none."""
        if not self._known:
            return {}
        is_named = False
        for name in ("from_user_id", "to_user_id", "user_id", "from", "to", "wa_id"):
            value = reading.identifier(event.get(name))
            if not value:
                continue
            is_named = True
            contact = self._by_id.get(value) or self._by_id.get(canonical(digits_of(value)))
            if contact is not None:
                return contact
        if len(self._known) == 1 and (count == 1 or not is_named):
            return self._known[0]
        return self._known[place] if len(self._known) == count and not is_named else {}
