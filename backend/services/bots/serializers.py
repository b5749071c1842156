"""Bots as the API and the console show them: plain values, without a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.channels.inbound import Chat
from backend.models import Sender
from backend.services import senders
from backend.services.bots import catalog, chat_states, facts, health, usage
from backend.services.bots.chat_states import ChatState
from backend.services.bots.discovery import Discovery
from backend.services.bots.usage import Usage
from backend.services.bots.webhooks import WebhookState


def bot_json(bot: Sender) -> dict[str, Any]:
    """A bot."""
    return shown([bot])[0]


def shown(bots: Sequence[Sender]) -> list[dict[str, Any]]:
    """Bots of one workspace, in their order; their usage and the state of their chats cost a statement each."""
    used, states = usage.of([bot.id for bot in bots]), chat_states.of(bots)
    return [_shown(bot, used.get(bot.id, Usage()), states[bot.id]) for bot in bots]


def validity(result: facts.Validity) -> dict[str, Any]:
    """Whether a token is accepted, and whose it is."""
    bot = None
    if result.facts is not None:
        flags = result.facts.capabilities
        bot = {
            "id": result.facts.external_id,
            "username": result.facts.username,
            "name": result.facts.name,
            "can_join_groups": flags.get("can_join_groups") is True,
            "can_read_all_group_messages": flags.get("can_read_all_group_messages") is True,
        }
    return {"valid": result.valid, "code": result.code, "bot": bot}


def discovery(result: Discovery) -> dict[str, Any]:
    """Chats that were found."""
    return {
        "chats": result.chats,
        "webhook_set": result.webhook_url is not None,
        "webhook_url": result.webhook_url,
        "note": result.note,
    }


def chat(described: Chat) -> dict[str, Any]:
    """A chat as Telegram shows it."""
    return {
        "chat_id": described.id,
        "type": described.type,
        "title": described.title or described.name,
        "username": described.username,
        "is_forum": described.is_forum,
    }


def webhook(state: WebhookState) -> dict[str, Any]:
    """The state of a webhook."""
    return {
        "url": state.url or None,
        "expected_url": state.expected_url,
        "ours": state.ours,
        "pending": state.pending,
        "last_error": state.last_error,
        "last_error_at": state.last_error_at,
    }


def _shown(bot: Sender, used: Usage, states: Sequence[ChatState]) -> dict[str, Any]:
    known = bot.facts
    capabilities = known.get("capabilities") or {}
    return {
        "id": bot.id,
        "name": bot.name,
        "token": catalog.mask(bot.credentials),
        "username": bot.username,
        "chat_ids": list(bot.chat_ids),
        "chat_type": bot.chat_type,
        "message_thread_id": bot.message_thread_id,
        "is_active": bot.is_active,
        "disabled_code": bot.disabled_code,
        "bot": {
            "display_name": known.get("display_name"),
            "can_read_all_group_messages": capabilities.get("can_read_all_group_messages"),
            "checked_at": _moment(known.get("probed_at")),
            "failed_at": _moment(known.get("probe_failed_at")),
            "error": known.get("probe_error"),
        },
        "chats": [
            {"chat_id": chat_id, **chat_facts, **state.shown()}
            for chat_id, chat_facts, state in zip(bot.chat_ids, facts.known_chats(bot), states, strict=True)
        ],
        "unreachable_chats": sum(state.state != chat_states.OK for state in states),
        "health": health.last_of(bot),
        "usage": used,
        "webhook_url": senders.webhook_address(bot),
        "last_inbound_at": bot.last_inbound_at,
        "created_at": bot.created_at,
    }


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
