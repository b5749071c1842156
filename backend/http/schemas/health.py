"""What a router or monitor is told."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Output


class Health(Output):
    """The process answers."""

    status: str = Field(examples=["ok"])


class CheckOut(Output):
    """One thing that has to be well."""

    name: str = Field(examples=["sweep"])
    state: str = Field(examples=["ok"], description="ok, failed, stale or missing")
    age: float | None = Field(description="Seconds since it last completed, where it is periodic")


class Readiness(Output):
    """Everything that has to be well is."""

    status: str = Field(examples=["ok"])
    checks: list[CheckOut]
