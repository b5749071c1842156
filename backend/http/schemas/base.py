"""What all schemas share: instants as RFC 3339 with `Z`, ids of 64 bits, lists by the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from backend.core.database import Base
from backend.services.paging import DEFAULT_LIMIT, MAX_LIMIT

MAX_ID = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=MAX_ID, examples=[1])]
"""An internal id."""


def _instant(value: datetime) -> str:
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def reader_of(*names: str) -> Callable[[object], dict[str, Any]]:
    """A function that reads these attributes of an object, of which there are at least two, into a dict.

    A row that is loaded holds them in its own dictionary, which costs a fifth of asking its attributes one by one.
    """
    loaded, read = itemgetter(*names), attrgetter(*names)

    def values_of(item: object) -> dict[str, Any]:
        if not isinstance(item, Base):
            return dict(zip(names, read(item), strict=True))
        try:
            values = loaded(item.__dict__)
        except KeyError:  # one of them is no column, or is to be read again
            values = read(item)
        return dict(zip(names, values, strict=True))

    return values_of


Instant = Annotated[
    datetime,
    PlainSerializer(_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment, answered as `2026-02-26T10:30:00.000Z`."""


EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)


def _within_bounds(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("date_too_far", "This moment is too far away: the years 1970 to 2999 are taken.")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within_bounds)]
"""A moment that a client names, in UTC: between 1970 and 2999, so that every zone can show it and a year be added."""


class Input(BaseModel):
    """What a client sends. An unknown field is refused by name: passed over, it would be a setting nobody made."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Output(BaseModel):
    """What a client gets; made from objects as well as from dicts."""

    # Every field is answered, also one that is at its default: the document says so.
    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class SparseOutput(Output):
    """An answer in which what does not apply is absent: fields that may be None have that as their default."""

    leaves_out_null: ClassVar[bool] = True
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class PageQuery(Input):
    """The two parameters of every list."""

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many at most")
    cursor: str | None = Field(default=None, max_length=200, description="The `next_cursor` of the page before")


class ErrorBody(BaseModel):
    """Why it was not done."""

    code: str = Field(examples=["not_found"], description="Stable and machine-readable; new ones may appear")
    message: str = Field(examples=["There is no such thing here."])
    detail: Any = Field(default=None, description="For 422: a list of `field`, `code`, `message`")


class ErrorAnswer(BaseModel):
    """The shape of every answer that is not a success."""

    error: ErrorBody
