"""Custom fields of contacts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backend.http.schemas.base import Input, Instant, Output
from backend.http.schemas.posts import left_out

Choice = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Field(examples=["A"])]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class ContactFieldIn(Input):
    """A custom field to add; key and type stay as they are."""

    key: str = Field(
        min_length=1, max_length=40, description="Lower-case letters, digits and underscores", examples=["seats"]
    )
    name: Name = Field(examples=["Seats"])
    type: Literal["text", "number", "date", "boolean", "choice"] = "text"
    choices: list[Choice] = Field(default_factory=list, max_length=100, description="For the type choice")


class ContactFieldChange(Input):
    """What to change; what is left out stays."""

    name: Name = Field(default="", examples=["Seats"], json_schema_extra=left_out)
    choices: list[Choice] = Field(default_factory=list, max_length=100, json_schema_extra=left_out)


class ContactFieldOut(Output):
    """A custom field."""

    id: int
    key: str = Field(examples=["seats"])
    name: str
    type: str = Field(examples=["number"])
    choices: list[str] = Field(examples=[["A"]])
    created_at: Instant


class ContactFields(Output):
    """A page of custom fields, oldest first."""

    contact_fields: list[ContactFieldOut]
    next_cursor: str | None
