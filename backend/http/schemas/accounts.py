"""How much an account may still send."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend.http.schemas.base import Instant, Output
from backend.http.schemas.integrations import RampOut


class SlotOut(Output):
    """A message that counts. Of another workspace that holds the same account no more is told than the moment."""

    at: Instant
    message_id: int | None = Field(examples=[1])
    workspace: Literal["own", "another"] = Field(examples=["own"])


class PaceOut(Output):
    """How much an account may still send, over the instance."""

    ramp: RampOut
    daily_limit: int = Field(examples=[10])
    sent_today: int = Field(examples=[1])
    left_today: int = Field(examples=[9])
    next_at: Instant
    reason: str | None = Field(examples=["hour_limit"], description="hour_limit, day_limit or ramp")
    lookups_left_today: int = Field(examples=[30])
    slots: list[SlotOut]
