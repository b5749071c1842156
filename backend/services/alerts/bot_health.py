"""What the product finds wrong with its own bots, as alerts: the check publishes events and need not know of this."""

from __future__ import annotations

from typing import Final

from backend.channels import richtext
from backend.core import events
from backend.core.database import workspace_scope
from backend.services.alerts.ingest import api_input
from backend.services.bots import resolution

BOT: Final = "health"


def on_health_check_failed(workspace_id: int, sender_id: int, bot_name: str, code: str) -> None:
    """A bot does not work (still), in the transaction that keeps the finding. Each further check counts."""
    with workspace_scope(workspace_id):
        api_input.raise_alert(
            workspace_id,
            f"Bot {bot_name}: health check failed",
            richtext.escape(f"Telegram or the webhook does not work: {code}"),
            severity="critical",
            key=_key(sender_id),
            labels={"check": "bot", "bot": bot_name},
            bot_name=_carrier(workspace_id),
        )


def on_health_check_recovered(workspace_id: int, sender_id: int, bot_name: str) -> None:
    """It works again."""
    with workspace_scope(workspace_id):
        for name in (BOT, api_input.BOT):
            # The name may have come or gone since the alert was raised.
            api_input.raise_alert(workspace_id, bot_name, key=_key(sender_id), bot_name=name, resolved=True)


def _carrier(workspace_id: int) -> str:
    return BOT if resolution.knows(workspace_id, BOT) else api_input.BOT


def _key(sender_id: int) -> str:
    return f"health_check_failed:sender:{sender_id}"


events.subscribe("health_check_failed", on_health_check_failed)
events.subscribe("health_check_recovered", on_health_check_recovered)
