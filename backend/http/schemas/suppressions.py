"""Suppressions: who must not be written to."""

from __future__ import annotations

from typing import Annotated, Literal

from apiflask.fields import UploadFile
from pydantic import Field, model_validator

from backend.http.schemas.base import MAX_ID, Id, Input, Instant, Output, PageQuery
from backend.http.schemas.contacts import Kind, Region

Code = Literal["opted_out", "complaint", "requested", "other"]


class SuppressionIn(Input):
    """Whom to suppress: a contact with all they have, or one identifier."""

    contact_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    kind: Kind | None = Field(default=None, examples=["phone"])
    value: str | None = Field(default=None, min_length=1, max_length=300, examples=["+44 7700 900123"])
    region: Region | None = Field(default=None, description="For a national phone number", examples=[None])
    code: Code = "requested"

    @model_validator(mode="after")
    def _who(self) -> SuppressionIn:
        if (self.contact_id is None) == (self.kind is None) or (self.kind is None) != (self.value is None):
            raise ValueError("Name either a contact_id, or a kind and a value.")
        return self


class SuppressionsQuery(PageQuery):
    """A page of suppressions."""

    kind: str | None = Field(default=None, max_length=40)
    contact_id: Id | None = Field(default=None, description="Of what this contact has now")


class SuppressionOut(Output):
    """A suppressed identifier; which one it is, is not stored."""

    id: int
    kind: str = Field(examples=["phone"])
    code: str = Field(description="opted_out, complaint, requested, imported or other", examples=["opted_out"])
    source: str | None = Field(description="person, api, console, import or inherited")
    created_by: str | None
    contact_id: int | None = Field(description="The contact that has this identifier now")
    created_at: Instant


class Suppressions(Output):
    """A page of suppressions, newest first."""

    suppressions: list[SuppressionOut]
    next_cursor: str | None


class SuppressionAdded(Output):
    """How many rows are new: one for each identifier of the person that was not suppressed."""

    added: int


class LiftIn(Input):
    """Why a suppression is lifted; it goes into the audit."""

    reason: str = Field(min_length=10, max_length=500, examples=["Asked by e-mail on 3 May to be written to again"])


class SuppressionLifted(Output):
    """How many rows were lifted."""

    lifted: int


class SuppressionFile(Input):
    """A list, as multipart/form-data."""

    file: UploadFile = Field(description="One identifier a line; at most 2 MB")
    kind: Kind | None = Field(default=None, description="What is in it; by default each line shows it")
    region: Region | None = Field(default=None, description="For national phone numbers")
    code: Code = "requested"


class LineError(Output):
    """A line of which nothing was suppressed."""

    line: int
    code: str = Field(examples=["phone_invalid"])
    hint: str = Field(examples=["This is no phone number."])


class SuppressionImport(Output):
    """What became of a list."""

    rows: int
    added: int
    known: int = Field(description="Suppressed before, or twice in the list")
    errors: list[LineError] = Field(description="The first 200")
    errors_total: int
