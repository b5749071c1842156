"""What is found wrong with how an integration is set up, as alerts: the checks publish events and need not know."""

from __future__ import annotations

from typing import Final

from backend.channels import richtext
from backend.core import events
from backend.core.database import workspace_scope
from backend.services.alerts.ingest import api_input
from backend.services.bots import resolution
from backend.services.channel_setup.events import ChannelCheckFailed, ChannelCheckRecovered

BOT: Final = "health"
_TITLES: Final = {
    "token": "the token does not work for long",
    "data_access": "access to data ends",
    "permissions": "permissions are missing",
    "renewal": "the token is not renewed",
    "subscription": "messages do not come in",
    "fields": "messages do not come in",
    "number": "the number does not work",
    "secret": "every message is refused",
}


def on_channel_check_failed(event: ChannelCheckFailed) -> None:
    """Something is wrong (still), in the transaction that keeps the finding. Each further check counts."""
    with workspace_scope(event.workspace_id):
        title = _TITLES.get(event.check, "a check failed")
        api_input.raise_alert(
            f"{event.channel.capitalize()} {event.name}: {title}",
            richtext.escape(" ".join(filter(None, (f"{event.text}.", event.advice)))),
            severity="critical",
            key=_key(event.sender_id, event.check),
            labels={"check": event.check, "channel": event.channel, "code": event.code},
            bot_name=BOT if resolution.knows(BOT) else api_input.BOT,
        )


def on_channel_check_recovered(event: ChannelCheckRecovered) -> None:
    """It is mended."""
    with workspace_scope(event.workspace_id):
        for name in (BOT, api_input.BOT):
            # The name may have come or gone since the alert was raised.
            api_input.raise_alert(event.name, key=_key(event.sender_id, event.check), bot_name=name, resolved=True)


def _key(sender_id: int, check: str) -> str:
    return f"channel_check_failed:{sender_id}:{check}"


events.subscribe(ChannelCheckFailed, on_channel_check_failed)
events.subscribe(ChannelCheckRecovered, on_channel_check_recovered)
