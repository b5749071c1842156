"""Which contacts the address asks for: the API's filters, and how the page names each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import request, url_for
from pydantic import ValidationError

from backend.core.errors import Invalid, NotFound
from backend.http import bodies
from backend.http.schemas.contacts import ContactsQuery, FilterIn
from backend.services.contacts import filters, segments
from backend.services.contacts.filters import ContactFilter

SEVERAL: Final = ("tag", "without_tag", "has", "field")
NAMES: Final = (*FilterIn.model_fields, "segment_id")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filters of an address. A parameter that means nothing is left out, as if it were not there."""

    values: dict[str, Any]
    """By the parameter's name, as the schema reads it."""
    segment_name: str | None
    wanted: list[ContactFilter]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the address of another page of the same list carries."""
        return {name: _written(value) for name, value in self.values.items()}

    def chips(self) -> list[tuple[str, str, str]]:
        """Each filter with its name, its value and the address of the list without it."""
        listed = []
        for name, value in self.arguments.items():
            for item in value if isinstance(value, list) else [value]:
                shown = self.segment_name if name == "segment_id" and self.segment_name else str(item)
                listed.append((name, shown, self._without(name, str(item))))
        return listed

    def _without(self, name: str, item: str) -> str:
        rest = dict(self.arguments)
        value = rest.pop(name)
        kept = [other for other in value if other != item] if isinstance(value, list) else []
        if kept:
            rest[name] = kept
        return url_for("console_contacts.listing", **rest)


def of_address() -> Chosen:
    """Reads the address. Raises Invalid for text that cannot be stored."""
    bodies.check_pairs(request.args.items(multi=True))
    given: dict[str, Any] = {}
    for name in NAMES:
        items = [item.strip() for item in request.args.getlist(name) if item.strip()]
        if items:
            given[name] = list(dict.fromkeys(items)) if name in SEVERAL else items[0]
    query = _read(given)
    values, segment_name, wanted = query.given(), None, []
    try:
        filters.select_contacts(ContactFilter.of(values))
    except Invalid:  # there is no custom field of this name, or no such value of it
        values.pop("field", None)
    wanted.append(ContactFilter.of(values))
    if query.segment_id is not None:
        try:
            segment = segments.get(query.segment_id)
            of_segment = ContactFilter.of(segment.filter)
            filters.select_contacts(of_segment)
        except (NotFound, Invalid):  # it is gone, or names a custom field that is
            return Chosen(values, None, wanted)
        values["segment_id"], segment_name = segment.id, segment.name
        wanted.append(of_segment)
    return Chosen(values, segment_name, wanted)


def _read(given: Mapping[str, Any]) -> ContactsQuery:
    """The filters that the schema takes; what it refuses is left out."""
    left = dict(given)
    while True:
        try:
            return ContactsQuery.model_validate(left)
        except ValidationError as error:
            at_fault = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]} & left.keys()
            if not at_fault:
                return ContactsQuery()
            left = {name: value for name, value in left.items() if name not in at_fault}


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else value
