"""The calls by which existing clients start a Telegram campaign and follow it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from backend.http.schemas.base import Id, Input, Instant, Output
from backend.http.schemas.campaigns import BasisIn, Template


class CampaignStartIn(Input):
    """A campaign to start at once."""

    contact_ids: list[Id] = Field(min_length=1, max_length=100_000)
    message_template: Template
    campaign_id: Id | None = Field(default=None, description="A draft", examples=[None])
    account_id: Id | None = Field(default=None, examples=[None])
    lawful_basis: BasisIn | None = Field(default=None, examples=[None])
    accept_end_date: StrictBool | Annotated[str, Field(max_length=40)] | None = Field(default=None, examples=[None])


class SkippedOut(Output):
    """Somebody who may not be written to."""

    contact_id: int
    reason: str = Field(examples=["no_consent"])


class CampaignStartOut(Output):
    """What was started."""

    message: str = Field(examples=["Telegram campaign started"])
    total_contacts: int
    status: str = Field(examples=["processing"])
    campaign_id: int
    skipped: list[SkippedOut]


class CampaignStatusQuery(Input):
    """Of which account."""

    account_id: Id | None = None


class CampaignStatusOut(Output):
    """How much an account has sent and may send."""

    connected: bool
    phone: str | None
    messages_sent_today: int = Field(description="In the last 24 hours")
    daily_limit: int
    messages_remaining_today: int
    total_sent: int
    total_failed: int
    total_no_telegram: int
    last_used: Instant | None
    next_send_at: Instant | None
    reset_at: Instant | None
    reason: str | None


class TelegramMessagesQuery(Input):
    """How many."""

    limit: int = Field(default=50, ge=1, le=200)


class TelegramMessageOut(Output):
    """One message of a campaign."""

    id: int
    campaign_id: int
    contact_id: int
    integration_id: int | None
    phone_number: str | None
    telegram_user_id: str | None
    telegram_username: str | None
    message_text: str | None
    message_id: str | None
    status: str = Field(description="pending, sent, failed or no_telegram", examples=["sent"])
    error_message: str | None
    sent_at: Instant | None
    created_at: Instant


class TelegramMessages(Output):
    """The newest messages."""

    messages: list[TelegramMessageOut]
