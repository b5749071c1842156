"""Contacts, their points and consents, and the workspace's settings for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints, ValidationInfo, field_validator

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery
from backend.http.schemas.posts import left_out

Text = Annotated[str | None, Field(max_length=200)]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=20)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["KR"])]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64), Field(examples=["Asia/Seoul"])]
TagName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), Field(examples=["VIP"])]
Kind = Literal["phone", "email", "username", "telegram_user"]
Purpose = Literal["marketing", "service", "event", "other"]
Has = Literal["phone", "email", "telegram_username", "telegram_user_id"]
Channel = Literal["telegram", "whatsapp", "messenger", "instagram", "email", "phone"]


class ContactIn(Input):
    """A contact to add. It has a name, a company, or something to be reached by."""

    first_name: Text = Field(default=None, examples=["Ada"])
    last_name: Text = Field(default=None, examples=["Sample"])
    company: Text = Field(default=None, examples=["Example Mills"])
    title: Text = Field(default=None, examples=["Buyer"])
    email: str | None = Field(default=None, max_length=300, examples=["ada@example.com"])
    phone: str | None = Field(
        default=None,
        max_length=60,
        description="In any notation; a national one is read by the region",
        examples=["+44 7700 900123"],
    )
    telegram_username: str | None = Field(default=None, max_length=200, description="@name, name or a link")
    telegram_user_id: str | None = Field(default=None, max_length=20, description="Digits")
    locale: Locale | None = Field(default=None, examples=["en"])
    timezone: Zone | None = Field(default=None, examples=[None])
    region: Region | None = Field(default=None, examples=["GB"])
    owner_id: Id | None = Field(default=None, description="A person of the workspace", examples=[None])
    tags: list[TagName] = Field(default_factory=list, max_length=100, description="Names; unknown ones are made")
    fields: dict[str, Any] = Field(default_factory=dict, max_length=100, description="Custom fields by key")
    source: Text = Field(default=None, examples=["fair 2026"])


class ContactChange(Input):
    """The fields to change; what is left out stays, null takes a value away. Custom fields change one by one."""

    first_name: Text = Field(default=None, examples=["Ada"], json_schema_extra=left_out)
    last_name: Text = Field(default=None, json_schema_extra=left_out)
    company: Text = Field(default=None, json_schema_extra=left_out)
    title: Text = Field(default=None, json_schema_extra=left_out)
    email: str | None = Field(default=None, max_length=300, json_schema_extra=left_out)
    phone: str | None = Field(default=None, max_length=60, json_schema_extra=left_out)
    telegram_username: str | None = Field(default=None, max_length=200, json_schema_extra=left_out)
    telegram_user_id: str | None = Field(default=None, max_length=20, json_schema_extra=left_out)
    locale: Locale | None = Field(default=None, json_schema_extra=left_out)
    timezone: Zone | None = Field(default=None, json_schema_extra=left_out)
    region: Region | None = Field(default=None, json_schema_extra=left_out)
    owner_id: Id | None = Field(default=None, json_schema_extra=left_out)
    tags: list[TagName] = Field(default_factory=list, max_length=100, json_schema_extra=left_out)
    fields: dict[str, Any] = Field(default_factory=dict, max_length=100, json_schema_extra=left_out)
    source: Text = Field(default=None, json_schema_extra=left_out)


class PointIn(Input):
    """Something else by which the contact is known or reached."""

    kind: Kind
    value: str = Field(min_length=1, max_length=300, examples=["+44 7700 900124"])
    label: Text = Field(default=None, examples=["work"])
    primary: StrictBool = Field(default=False, description="Whether it is the one of its kind that counts first")


class PointOut(Output):
    """What identifies a contact or reaches them."""

    id: int
    kind: str = Field(description="phone, email, username or telegram_user", examples=["phone"])
    value: str = Field(examples=["+447700900123"])
    label: str | None
    is_primary: bool
    validity: str = Field(
        description="valid; possible for a phone number of a range that is not assigned", examples=["valid"]
    )
    zones: list[str] = Field(description="Time zones in which a phone may be", examples=[["Europe/London"]])
    state: str = Field(description="ok; identity_changed for a user name that changed hands", examples=["ok"])
    suppressed: bool
    created_at: Instant


class ConsentState(Output):
    """The consent that counts for a channel and purpose."""

    channel: str = Field(examples=["telegram"])
    purpose: str = Field(examples=["marketing"])
    state: str = Field(description="given, withdrawn or expired", examples=["given"])
    night_ok: bool
    obtained_at: Instant
    expires_at: Instant | None


class ContactOut(Output):
    """A contact."""

    id: int
    first_name: str | None
    last_name: str | None
    company: str | None
    title: str | None
    email: str | None = Field(description="The primary one; all are in `points`")
    phone: str | None = Field(description="E.164")
    telegram_username: str | None
    telegram_user_id: str | None
    locale: str | None
    timezone: str | None = Field(description="Where there is exactly one zone")
    timezone_source: str | None = Field(description="given, number or workspace; null where nobody knows")
    zones: list[str] = Field(description="In all of these a time has to fit", examples=[["Europe/London"]])
    region: str | None
    owner_id: int | None
    tags: list[str] = Field(examples=[["VIP"]])
    fields: dict[str, Any]
    source: str | None
    points: list[PointOut]
    suppressed: bool = Field(description="Whether anything of the person is suppressed")
    consents: list[ConsentState]
    created_at: Instant
    updated_at: Instant


class Contacts(Output):
    """A page of contacts, newest first."""

    contacts: list[ContactOut]
    next_cursor: str | None


class FilterIn(Input):
    """Which contacts; what is left out does not count."""

    q: str | None = Field(default=None, max_length=200, description="Words of names, or a whole number, address, name")
    tag: list[str] = Field(default_factory=list, max_length=20, description="All of these tags")
    without_tag: list[str] = Field(default_factory=list, max_length=20, description="None of these tags")
    owner_id: Id | None = None
    source: str | None = Field(default=None, max_length=200)
    region: Region | None = None
    has: list[Has] = Field(default_factory=list, max_length=4, description="All of these")
    field: list[str] = Field(
        default_factory=list, max_length=20, description="`key:value` of custom fields, all of them"
    )
    suppressed: bool | None = None
    consent: Purpose | None = Field(default=None, description="A consent for this purpose is in force")
    import_id: Id | None = Field(default=None, description="Touched by this import")
    created_from: Moment | None = None
    created_to: Moment | None = None

    def given(self) -> dict[str, Any]:
        """The filter alone."""
        return {name: getattr(self, name) for name in FilterIn.model_fields if getattr(self, name) not in (None, [])}

    @field_validator("field")
    @classmethod
    def _keys_and_values(cls, items: list[str], _info: ValidationInfo) -> list[str]:
        if any(not item.partition(":")[2] for item in items):
            raise ValueError("A custom field is named as key:value.")
        return items


class ContactsQuery(FilterIn, PageQuery):
    """A page of contacts, by filters or by a segment."""

    segment_id: Id | None = Field(default=None, description="A saved segment, beside the other filters")


class ExportQuery(FilterIn):
    """Which contacts to export."""

    segment_id: Id | None = Field(default=None, description="A saved segment, beside the other filters")


class ConsentIn(Input):
    """What a contact agreed to, or withdrew."""

    channel: Channel
    purpose: Purpose = "marketing"
    basis: Literal["consent", "soft_opt_in", "contract", "legitimate_interest"] = "consent"
    state: Literal["given", "withdrawn", "expired"] = "given"
    source: Literal["form", "chat", "event", "paper", "bot_link", "api"] = "api"
    source_detail: str | None = Field(default=None, max_length=500, description="Which form, event or paper; no names")
    wording: str | None = Field(default=None, max_length=5000, description="What was agreed to, word by word")
    evidence: str | None = Field(default=None, max_length=500, description="Where the proof is kept; no names")
    night_ok: StrictBool = Field(default=False, description="Also between 21:00 and 08:00")
    obtained_at: Moment | None = Field(default=None, description="Now, by default", examples=["2026-02-26T10:30:00Z"])
    obtained_by: str | None = Field(default=None, max_length=100, description="Who obtained it: a role or a program")
    expires_at: Moment | None = None


class ConsentOut(Output):
    """An entry; entries are never changed."""

    id: int
    contact_id: int
    channel: str = Field(examples=["telegram"])
    purpose: str = Field(examples=["marketing"])
    basis: str = Field(examples=["consent"])
    state: str = Field(examples=["given"])
    source: str = Field(examples=["form"])
    source_detail: str | None
    wording: str | None
    evidence: str | None
    night_ok: bool
    obtained_at: Instant
    obtained_by: str | None
    recorded_at: Instant
    recorded_by: str = Field(examples=["user:1"])
    expires_at: Instant | None
    import_id: int | None


class Consents(Output):
    """A page of a contact's entries, the last recorded first."""

    consents: list[ConsentOut]
    next_cursor: str | None


class ContactSettingsChange(Input):
    """The settings to change; what is left out stays."""

    region: Region | None = Field(
        default=None, description="How national phone numbers are read", examples=["KR"], json_schema_extra=left_out
    )
    timezone: Zone | None = Field(default=None, json_schema_extra=left_out)
    rules: Literal["by_number", "kr", "none"] = Field(
        default="by_number",
        description="Consent rules of Korea: for +82, for everybody, for nobody",
        json_schema_extra=left_out,
    )
    opt_in_wording: Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=2000)] | None = (
        Field(
            default=None,
            description="What a person agrees to on the page of an opt-in link",
            examples=["You may write to me on Telegram about new flats."],
            json_schema_extra=left_out,
        )
    )
    opt_out_words: list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]] = Field(
        default_factory=list,
        max_length=50,
        description="Whole messages by which people object, on every channel, besides those known in six languages",
        examples=[["no more flats"]],
        json_schema_extra=left_out,
    )
    quiet_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="For so many days a person hears of no second campaign",
        json_schema_extra=left_out,
    )


class ContactSettingsOut(Output):
    """What holds for all contacts of the workspace."""

    region: str | None
    timezone: str | None
    rules: str = Field(examples=["by_number"])
    opt_in_wording: str | None
    opt_out_words: list[str] = Field(examples=[["no more flats"]])
    quiet_days: int = Field(examples=[7])


class OptInLink(Output):
    """The address of a page on which one person agrees to be written to."""

    url: str = Field(examples=["https://switchboard.example/o/AAAAAAAAAAE"])
    bot_url: str | None = Field(
        description="Opens the workspace's bot, which asks; null without a bot",
        examples=["https://t.me/example_bot?start=yes_A"],
    )
    wording: str = Field(description="What the page asks now", examples=["You may write to me about new flats."])
