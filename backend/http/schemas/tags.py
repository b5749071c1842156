"""Tags of contacts."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Input, Instant, Output
from backend.http.schemas.contacts import TagName


class TagIn(Input):
    """A tag to add, or its new name."""

    name: TagName


class TagOut(Output):
    """A tag."""

    id: int
    name: str = Field(examples=["VIP"])
    contacts: int = Field(description="How many contacts have it")
    created_at: Instant


class Tags(Output):
    """A page of tags, oldest first."""

    tags: list[TagOut]
    next_cursor: str | None
