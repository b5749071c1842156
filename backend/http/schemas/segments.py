"""Saved segments."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from backend.http.schemas.base import Input, Instant, Output
from backend.http.schemas.contacts import FilterIn
from backend.http.schemas.posts import left_out

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class SegmentIn(Input):
    """A filter to save."""

    name: Name = Field(examples=["Buyers in Korea"])
    filter: FilterIn


class SegmentChange(Input):
    """What to change; the filter is replaced as a whole."""

    name: Name = Field(default="", examples=["Buyers in Korea"], json_schema_extra=left_out)
    filter: FilterIn = Field(default_factory=FilterIn, json_schema_extra=left_out)


class SegmentOut(Output):
    """A saved segment."""

    id: int
    name: str
    filter: dict[str, Any] = Field(examples=[{"tag": ["VIP"]}])
    created_by: str = Field(examples=["user:1"])
    created_at: Instant
    updated_at: Instant


class SegmentWithCount(SegmentOut):
    """A saved segment, with how many contacts it holds now."""

    contacts: int


class Segments(Output):
    """A page of segments, oldest first."""

    segments: list[SegmentOut]
    next_cursor: str | None
