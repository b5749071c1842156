"""Pages of contacts by filters and segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.models import Contact
from backend.services import paging, text_search
from backend.services.contacts import filters, segments
from backend.services.contacts.filters import ContactFilter


def filters_of(values: Mapping[str, Any], segment_id: int | None) -> list[ContactFilter]:
    """The filter of these values, and that of a segment. Raises NotFound."""
    wanted = [ContactFilter.of(values)]
    return wanted if segment_id is None else [*wanted, segments.filter_of(segment_id)]


def page(
    wanted: Sequence[ContactFilter], *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Contact], str | None]:
    """The contacts that pass all filters, newest first. Raises Invalid, Unavailable (search_too_slow)."""
    query = filters.select_contacts(*wanted)
    with text_search.bounded():
        return paging.page(query, Contact.id, cursor=cursor, limit=limit)
