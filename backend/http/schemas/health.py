"""What a router or monitor is told."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Instant, Output


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


class PartHealth(Output):
    """A server that the product stands on."""

    state: str = Field(examples=["ok"], description="ok or failed")
    milliseconds: float | None = Field(description="How long it took to answer")


class ProcessOut(Output):
    """A process that has said within seconds that it is there."""

    role: str = Field(examples=["dispatch"], description="web, dispatch, jobs, or a single queue")
    name: str = Field(examples=["app-1:4711"], description="Host and process id")
    cpu: float = Field(description="Processor seconds used")
    memory: int = Field(description="Bytes resident")
    live: int = Field(description="Open live connections")


class DeliveriesHealth(Output):
    """The outbox of the whole instance."""

    waiting: int
    oldest_seconds: float = Field(description="Age of the oldest that could go out")
    by_reason: dict[str, int] = Field(examples=[{"queued": 3, "chat_pace": 20}])


class IntakeHealth(Output):
    """What providers have said."""

    waiting: int
    oldest_seconds: float
    parked: int


class MailHealth(Output):
    """E-mails."""

    waiting: int
    oldest_seconds: float


class QueuesHealth(Output):
    """What waits."""

    deliveries: DeliveriesHealth
    intake: IntakeHealth
    mail: MailHealth


class BotHealthOut(Output):
    """A bot of the workspace, or the default one."""

    id: int
    name: str
    username: str | None
    source: str = Field(examples=["database"])
    state: str = Field(examples=["active"])
    code: str | None = Field(description="Why the product has disabled it")
    last_inbound_at: Instant | None
    paused_until: Instant | None = Field(description="While Telegram has asked for a rest")


class HealthOverview(Output):
    """Every part."""

    status: str = Field(examples=["ok"], description="ok or degraded")
    problems: list[str] = Field(examples=[["no_worker_dispatch"]])
    configured: bool = Field(description="Whether any bot is configured, in the database or the environment")
    database: PartHealth
    redis: PartHealth
    checks: list[CheckOut]
    workers: list[ProcessOut] | None = Field(description="null while Redis is away")
    queues: QueuesHealth
    bots: list[BotHealthOut]
