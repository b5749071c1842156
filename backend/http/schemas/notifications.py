"""What people want to be told, and the types a workspace defines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints

from backend.http.schemas.base import Input, Instant, Output

Locale = Literal["en", "ko"]
TimeOfDay = Annotated[
    str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5), Field(examples=["09:00"])
]
TypeName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def _left_out(schema: dict[str, Any]) -> None:
    """A field that stays as it is when left out: the value it has in Python then is nobody's business."""
    schema.pop("default", None)


class QuietHours(Input):
    """Local times; over midnight when `end` is the earlier one."""

    start: TimeOfDay = Field(examples=["22:00"])
    end: TimeOfDay = Field(examples=["07:00"])


class SettingsIn(Input):
    """The settings to change; what is left out stays."""

    locale: Locale = Field(default="en", json_schema_extra=_left_out)
    timezone: str = Field(
        default="UTC", min_length=1, max_length=64, examples=["Asia/Seoul"], json_schema_extra=_left_out
    )
    daily_summary_at: TimeOfDay = Field(default="09:00", json_schema_extra=_left_out)
    daily_summary_when_empty: StrictBool = Field(
        default=False, description="Whether a day without posts is told of too", json_schema_extra=_left_out
    )
    quiet_hours: QuietHours | None = Field(default=None, description="null turns them off", json_schema_extra=_left_out)
    types: dict[TypeName, StrictBool] = Field(
        default_factory=dict,
        max_length=300,
        description="Merged with what was switched before",
        examples=[{"post_success": False}],
    )


class QuietHoursOut(Output):
    """Local times."""

    start: str
    end: str


class SettingsOut(Output):
    """A person's settings, complete."""

    locale: str
    timezone: str
    daily_summary_at: str = Field(examples=["09:00"])
    daily_summary_when_empty: bool
    quiet_hours: QuietHoursOut | None
    types: dict[str, bool] = Field(examples=[{"post_success": True}])


class TypeFields(Input):
    """What a type says, by locale, and the button under it."""

    title: str | None = Field(default=None, max_length=100, description="What people call it; by default the name")
    templates: dict[TypeName, str] = Field(
        max_length=10,
        description="A text per locale with {placeholders}; <b>, <i>, <a href> and the like may be used",
        examples=[{"en": "Order {order.id} from {customer|somebody}", "ko": "주문 {order.id}"}],
    )
    button_label: str | None = Field(default=None, max_length=1000, examples=["Open"])
    button_url: str | None = Field(default=None, max_length=2048, examples=["https://example.com/orders/{order.id}"])


class TypeIn(TypeFields):
    """A new type."""

    name: str = Field(
        min_length=1,
        max_length=48,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="What events call it; letters, digits and _",
        examples=["order_received"],
    )


class TypeChange(Input):
    """The fields to change; what is left out stays."""

    title: str = Field(default="", max_length=100, examples=["Orders"], json_schema_extra=_left_out)
    templates: dict[TypeName, str] = Field(default_factory=dict, max_length=10, examples=[{"en": "Order {order.id}"}])
    button_label: str | None = Field(default=None, max_length=1000, examples=[None], json_schema_extra=_left_out)
    button_url: str | None = Field(default=None, max_length=2048, examples=[None], json_schema_extra=_left_out)


class TypeOut(Output):
    """A type of the workspace."""

    id: int
    name: str
    title: str
    templates: dict[str, str] = Field(examples=[{"en": "Order {order.id}", "ko": "주문 {order.id}"}])
    button_label: str | None
    button_url: str | None
    created_at: Instant
    updated_at: Instant


class Types(Output):
    """A page of types, oldest first."""

    notification_types: list[TypeOut]
    next_cursor: str | None


class PreviewData(Input):
    """Data to try a type with."""

    data: dict[str, Any] = Field(default_factory=dict, examples=[{"order": {"id": 17}}])
    locale: Locale | None = Field(default=None, description="By default the caller's own")


class PreviewIn(TypeFields, PreviewData):
    """A type that need not exist yet, and data to try it with."""


class PreviewButton(Output):
    """The button as it would be."""

    label: str
    url: str


class PreviewOut(Output):
    """What a person would read."""

    text: str = Field(description="Without formatting")
    html: str = Field(description="With formatting, everything filled in escaped")
    button: PreviewButton | None
    missing: list[str] = Field(description="Placeholders the data has nothing for", examples=[["customer"]])
