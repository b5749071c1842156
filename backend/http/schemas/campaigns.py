"""Campaigns: their steps, preflights, simulations, recipients, and the calls of existing clients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery
from backend.http.schemas.contacts import FilterIn, Purpose, TagName
from backend.http.schemas.posts import left_out

Template = Annotated[str, Field(max_length=6000, examples=["Hello {first_name}, how is {company|your team}?"])]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["09:00"])]
EndClock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", examples=["18:00"])]
Day = Annotated[int, Field(ge=0, le=6, examples=[0])]
Basis = Literal["consent", "soft_opt_in", "contract", "legitimate_interest"]


class VariantIn(Input):
    """One of several texts of a step."""

    name: str = Field(min_length=1, max_length=40, examples=["short"])
    template: Template
    weight: int = Field(default=1, ge=1, le=100, description="Its part of the recipients")
    is_on: StrictBool = Field(default=True, description="One that is off passes its recipients on to the others")


class StepIn(Input):
    """One message. `delay_days` counts from when the step before was sent; the first has none."""

    template: Template
    delay_days: int = Field(default=0, ge=0, le=30)
    variants: list[VariantIn] = Field(default_factory=list, max_length=5, examples=[[]])


class AudienceIn(Input):
    """Whom it is for: the union of what is given, taken down at the launch."""

    contact_ids: list[Id] = Field(default_factory=list, max_length=100_000, examples=[[]])
    tags: list[TagName] = Field(default_factory=list, max_length=20, examples=[[]])
    filter: FilterIn | None = Field(default=None, description="As the list of contacts takes it", examples=[None])
    segment_id: Id | None = Field(default=None, examples=[None])


class WindowIn(Input):
    """When people are written to, in their own zone; `to` is excluded, and `24:00` is the end of the day."""

    days: list[Day] = Field(min_length=1, max_length=7, description="0 is Monday", examples=[[0, 1, 2, 3, 4]])
    from_: Clock = Field(alias="from", examples=["09:00"])
    to: EndClock = Field(examples=["18:00"])


class BasisIn(Input):
    """Why people are written to who gave no consent."""

    basis: Basis
    note: str = Field(
        max_length=1000, description="At least 20 characters", examples=["They ordered from us this year."]
    )


class CampaignIn(Input):
    """A campaign to make, as a draft."""

    name: str = Field(min_length=1, max_length=200, examples=["Spring offer"])
    steps: list[StepIn] = Field(min_length=1, max_length=5)
    audience: AudienceIn = Field(default_factory=AudienceIn)
    account_id: Id | None = Field(
        default=None, description="By default the only one the person may use", examples=[None]
    )
    purpose: Purpose = "marketing"
    window: WindowIn | None = Field(default=None, examples=[None])
    add_to_contacts: StrictBool = Field(
        default=False, description="Whether people may be added to the account's own contacts to find them"
    )
    lawful_basis: BasisIn | None = Field(default=None, examples=[None])
    scheduled_at: Moment | None = Field(default=None, examples=[None])


class CampaignChange(Input):
    """What to change; what is left out stays. Who has not got a step yet gets its new text."""

    version: int = Field(ge=1, description="The one that was read")
    name: str = Field(default="", min_length=1, max_length=200, json_schema_extra=left_out, examples=["Spring offer"])
    steps: list[StepIn] = Field(default_factory=list, min_length=1, max_length=5, json_schema_extra=left_out)
    audience: AudienceIn = Field(default_factory=AudienceIn, json_schema_extra=left_out)
    account_id: Id | None = Field(default=None, json_schema_extra=left_out, examples=[None])
    purpose: Purpose = Field(default="marketing", json_schema_extra=left_out)
    window: WindowIn | None = Field(default=None, json_schema_extra=left_out, examples=[None])
    add_to_contacts: StrictBool = Field(default=False, json_schema_extra=left_out)
    lawful_basis: BasisIn | None = Field(default=None, json_schema_extra=left_out, examples=[None])
    scheduled_at: Moment | None = Field(default=None, json_schema_extra=left_out, examples=[None])


class VariantOut(Output):
    """One of several texts of a step."""

    name: str = Field(examples=["Spring offer"])
    template: str = Field(examples=["Hello {first_name}"])
    weight: int
    is_on: bool


class StepOut(Output):
    """One message of a campaign."""

    position: int = Field(examples=[1])
    template: str = Field(examples=["Hello {first_name}"])
    delay_days: int
    variants: list[VariantOut]
    version: int


class CampaignOut(Output):
    """A campaign."""

    id: int
    name: str = Field(examples=["Spring offer"])
    state: str = Field(description="draft, scheduled, running, paused, finished or canceled", examples=["running"])
    pause_reason: str | None = Field(description="operator, complaints, bad_audience, unseen or account")
    paused_by: str | None
    paused_at: Instant | None
    account_id: int | None
    purpose: str = Field(examples=["marketing"])
    audience: dict[str, Any]
    window: dict[str, Any] | None
    add_to_contacts: bool
    lawful_basis: dict[str, Any] | None
    version: int
    total: int = Field(description="People of the audience, since the launch")
    counts: dict[str, int] = Field(description="Recipients by state", examples=[{"waiting": 9, "sent": 1}])
    steps: list[StepOut]
    scheduled_at: Instant | None
    launched_at: Instant | None
    ended_at: Instant | None
    archived_at: Instant | None
    created_at: Instant
    updated_at: Instant


class Campaigns(Output):
    """A page of campaigns."""

    campaigns: list[CampaignOut]
    next_cursor: str | None


class CampaignsQuery(PageQuery):
    """Which campaigns."""

    state: Literal["draft", "scheduled", "running", "paused", "finished", "canceled"] | None = None
    archived: bool = False


class VariantFiguresOut(Output):
    """How one of several texts does, of those who were written to."""

    name: str = Field(examples=["short"])
    sent: int
    read: int
    replied: int
    opted_out: int
    too_few: bool = Field(description="Too few to tell: below 100 people")


class VariantsOut(Output):
    """The variants of a campaign by name; none where everybody gets the same text."""

    variants: list[VariantFiguresOut]


class StarGroup(Output):
    """People who ask for stars."""

    count: int
    stars: int


class GroupsOut(Output):
    """How many people there are of each kind. `reachable` are known at Telegram, `unknown` are looked up later."""

    reachable: int
    unknown: int
    no_telegram: int
    needs_premium: int
    costs_stars: StarGroup
    suppressed: int
    opted_out: int
    no_consent: int
    in_conversation: int
    in_other_campaign: int
    same_person: int
    identity_changed: int
    contact_erased: int
    missing_fields: dict[str, int] = Field(examples=[{"first_name": 2}])


class EndsOut(Output):
    """When everything is said. `latest`: everybody is found and nobody answers."""

    earliest: Instant
    likely: Instant
    latest: Instant


class PreflightOut(Output):
    """What a launch would do, as far as it is known."""

    id: int
    version: int
    total: int
    messages: int = Field(description="At most, with follow-ups")
    groups: GroupsOut
    ends: EndsOut
    binding_limit: str = Field(description="hour, day, window, lookups or ramp", examples=["day"])
    expires_at: Instant


class LaunchIn(Input):
    """The preflight that was read."""

    preflight_id: Id
    accept_end_date: StrictBool | Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="true, or the date accepted, where it may last longer than 90 days", examples=[None]
    )


class SimulateIn(Input):
    """From when, and what is assumed."""

    from_: Moment | None = Field(default=None, alias="from", examples=[None])
    reply_rate: float = Field(default=0, ge=0, le=1)
    found_rate: float = Field(default=1, ge=0, le=1)


class SimulatedDay(Output):
    """Messages of one day, UTC."""

    date: str = Field(examples=["2026-12-01"])
    first: int
    follow_up: int


class SimulatedMessage(Output):
    """One message of the plan."""

    contact_id: int
    step: int
    planned_at: Instant
    local_time: str = Field(examples=["2026-12-01T09:00+01:00"])
    zone: str = Field(examples=["Europe/Berlin"])
    bound_by: str | None = Field(description="What keeps it until then: hour, day, ramp, window or lookups")


class SimulationOut(Output):
    """The plan from a moment on."""

    ends: EndsOut
    binding_limit: str = Field(examples=["day"])
    messages: int
    days: list[SimulatedDay]
    recipients: list[SimulatedMessage] = Field(description="The first 1,000 messages")
    more: bool


class PreviewQuery(Input):
    """Whose message; by default that of the person with most missing fields."""

    contact_id: Id | None = None
    step: int = Field(default=1, ge=1, le=5)


class CampaignPreviewOut(Output):
    """A message as it would go out."""

    contact_id: int
    step: int
    variant: str | None
    text: str = Field(examples=["Hello Ada"])
    missing: list[str] = Field(examples=[[]])


class CampaignTestIn(Input):
    """Which step to send to the account's own Saved Messages, filled in for whom."""

    step: int = Field(default=1, ge=1, le=5)
    contact_id: Id | None = Field(default=None, examples=[None])


class CampaignTestOut(Output):
    """The test message."""

    message_id: int


class RecipientOut(Output):
    """A person in a campaign."""

    id: int
    contact_id: int
    first_name: str | None
    last_name: str | None
    conversation_id: int | None
    state: str = Field(
        description="waiting, sending, sent, replied, finished, stopped, skipped, failed, unknown or canceled",
        examples=["waiting"],
    )
    reason: str = Field(examples=["hour_limit"])
    reason_text: str = Field(description="In the caller's language", examples=["Waits for its turn."])
    step: int
    variant: str | None
    step_version: int | None
    text: str | None = Field(description="The last message, or the first as it would go out now")
    message_state: str | None
    planned_at: Instant | None
    next_attempt_at: Instant | None
    zone_guessed: bool
    sent_at: Instant | None
    read_at: Instant | None
    read_at_exact: bool
    asks_operator: bool = Field(description="Whether the answer may be an objection, which a person has to decide")
    ended_at: Instant | None
    bot_conversation_id: int | None = Field(description="A chat with a bot in which the person can be reached instead")


class Recipients(Output):
    """A page of recipients."""

    recipients: list[RecipientOut]
    next_cursor: str | None


class RecipientsQuery(PageQuery):
    """Which recipients."""

    state: str | None = Field(default=None, max_length=20)
    reason: str | None = Field(default=None, max_length=40)


class AddIn(Input):
    """People to add to a campaign that was launched."""

    contact_ids: list[Id] = Field(min_length=1, max_length=10_000)


class AddOut(Output):
    """How many were added; who may not be written to is among them, skipped with the reason."""

    added: int


class RetryIn(Input):
    """Whom to try again; by default everybody whom something kept out that may have changed."""

    recipient_ids: list[Id] | None = Field(default=None, max_length=10_000, examples=[None])


class RetryOut(Output):
    """How many wait again."""

    retried: int


class RecipientResolveIn(Input):
    """What became of a message whose outcome nobody knew."""

    outcome: Literal["sent", "not_sent"]
