"""What a router or monitor is told."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Instant, Output
from backend.http.schemas.bots import HealthOut


class Health(Output):
    """The process answers."""

    status: str = Field(examples=["ok"])


class HealthCheckOut(Output):
    """One thing that has to be well."""

    name: str = Field(examples=["sweep"])
    state: str = Field(examples=["ok"], description="ok, failed, stale or missing")
    age: float | None = Field(description="Seconds since it last completed, where it is periodic")


class Readiness(Output):
    """Everything that has to be well is."""

    status: str = Field(examples=["ok"])
    checks: list[HealthCheckOut]


class ProcessOut(Output):
    """A process that has said within seconds that it is there."""

    role: str = Field(examples=["dispatch"], description="web, dispatch, jobs, or a single queue")
    name: str = Field(examples=["app-1:4711"], description="Host and process id")
    cpu: float = Field(description="Processor seconds used")
    memory: int = Field(description="Bytes resident")
    live: int = Field(description="Open live connections")


class DeliveriesOut(Output):
    """The outbox."""

    waiting: int
    oldest: float = Field(description="Age in seconds of the oldest that could go out")
    by_reason: dict[str, int] = Field(examples=[{"queued": 3, "chat_pace": 20}])


class IntakeOut(Output):
    """What providers have said."""

    waiting: int
    oldest: float
    parked: int


class MailOut(Output):
    """E-mails."""

    waiting: int
    oldest: float


class QueuesOut(Output):
    """What waits in the whole instance; counts stop at 100,000."""

    deliveries: DeliveriesOut
    intake: IntakeOut
    mail: MailOut


class LoadOut(Output):
    """What piles up, and who works."""

    intake_age: float = Field(description="Seconds that the oldest unprocessed update has waited")
    outbox_age: float = Field(description="Seconds that the oldest due operation is late")
    workers: int | None = Field(description="Processes that serve the job queues; null while Redis is away")
    dispatchers: int = Field(description="Processes that hold bots and send for them; none while nothing is to be sent")


class BotStateOut(Output):
    """A bot of the instance."""

    id: int
    workspace_id: int | None
    name: str
    source: str = Field(description="`database`, `environment` or `configs`")
    username: str | None
    is_active: bool
    disabled_code: str | None
    health: HealthOut
    waiting: int = Field(description="Operations that wait; counts to 1000")
    unreachable_chats: int = Field(description="How many of its own chats cannot be written to")
    paused_until: Instant | None = Field(description="A rest that Telegram asked for")
    last_inbound_at: Instant | None


class DroppedItemsOut(Output):
    """What came for a page, number or account that nobody here owns."""

    recipient_id: str = Field(examples=["104857600000001"], description="The provider's id of it")
    count: int
    last_at: Instant


class WebhookReportOut(Output):
    """What a sender's provider calls."""

    sender_id: int
    workspace_id: int | None
    channel: str = Field(examples=["telegram_bot"])
    name: str
    address: str = Field(examples=["https://switchboard.example.org/telegram/webhook"])
    has_secret: bool = Field(description="Without one every request is refused")
    has_token: bool | None = Field(description="Whether the provider can subscribe; null where it makes no handshake")
    waiting: int = Field(description="Items whose owner is not known yet")
    parked: int = Field(description="Items that were put aside")
    dropped: list[DroppedItemsOut]
    last_inbound_at: Instant | None


class Overview(Output):
    """How the instance is."""

    status: str = Field(examples=["ok"], description="`ok`, or `degraded` where anything below is not well")
    configured: bool = Field(description="Whether there is any bot, from the database or the environment")
    problems: list[str] = Field(examples=[["no_worker_dispatch"]], description="What is not well, by name")
    checks: list[HealthCheckOut]
    load: LoadOut
    processes: list[ProcessOut] | None = Field(description="null while Redis is away")
    queues: QueuesOut
    bots: list[BotStateOut] = Field(description="Those that do not work come first")
    webhooks: list[WebhookReportOut]
