"""What the product finds wrong with its own bots, as alerts: the check publishes events and need not know of this."""

from __future__ import annotations

from typing import Final

from backend.channels import richtext
from backend.core import events
from backend.core.database import workspace_scope
from backend.services.alerts.ingest import api_input
from backend.services.bots import resolution
from backend.services.bots.events import HealthCheckFailed, HealthCheckRecovered

BOT: Final = "health"


def on_health_check_failed(event: HealthCheckFailed) -> None:
    """A bot does not work (still), in the transaction that keeps the finding. Each further check counts."""
    with workspace_scope(event.workspace_id):
        api_input.raise_alert(
            f"Bot {event.bot_name}: health check failed",
            richtext.escape(f"Telegram or the webhook does not work: {event.code}"),
            severity="critical",
            key=_key(event.sender_id),
            labels={"check": "bot", "bot": event.bot_name},
            bot_name=_carrier(),
        )


def on_health_check_recovered(event: HealthCheckRecovered) -> None:
    """It works again."""
    with workspace_scope(event.workspace_id):
        for name in (BOT, api_input.BOT):
            # The name may have come or gone since the alert was raised.
            api_input.raise_alert(event.bot_name, key=_key(event.sender_id), bot_name=name, resolved=True)


def _carrier() -> str:
    return BOT if resolution.knows(BOT) else api_input.BOT


def _key(sender_id: int) -> str:
    return f"health_check_failed:sender:{sender_id}"


events.subscribe(HealthCheckFailed, on_health_check_failed)
events.subscribe(HealthCheckRecovered, on_health_check_recovered)
