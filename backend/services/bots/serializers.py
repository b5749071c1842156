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
from backend.services.bots.webhooks import Standing


def one(bot: Sender) -> dict[str, Any]:
    """A bot."""
    return shown([bot])[0]


def shown(bots: Sequence[Sender]) -> list[dict[str, Any]]:
    """Bots of one workspace, in their order; their usage and the state of their chats cost a statement each."""
    used, states = usage.of([bot.id for bot in bots]), chat_states.of(bots)
    return [_shown(bot, used.get(bot.id, Usage()), states[bot.id]) for bot in bots]


def validity(found: facts.Validity) -> dict[str, Any]:
    """Whether a token is accepted, and whose it is."""
    bot = None
    if found.facts is not None:
        flags = found.facts.capabilities
        bot = {
            "id": found.facts.external_id,
            "username": found.facts.username,
            "name": found.facts.name,
            "can_join_groups": flags.get("can_join_groups") is True,
            "can_read_all_group_messages": flags.get("can_read_all_group_messages") is True,
        }
    return {"valid": found.valid, "code": found.code, "bot": bot}


def discovery(found: Discovery) -> dict[str, Any]:
    """Chats that were found."""
    return {
        "chats": found.chats,
        "webhook_set": found.webhook_url is not None,
        "webhook_url": found.webhook_url,
        "note": found.note,
    }


def chat(found: Chat) -> dict[str, Any]:
    """A chat as Telegram shows it."""
    return {
        "chat_id": found.id,
        "type": found.type,
        "title": found.title or found.name,
        "username": found.username,
        "is_forum": found.is_forum,
    }


def webhook(standing: Standing) -> dict[str, Any]:
    """A webhook's standing."""
    return {
        "url": standing.url or None,
        "expected_url": standing.expected_url,
        "ours": standing.ours,
        "pending": standing.pending,
        "last_error": standing.last_error,
        "last_error_at": standing.last_error_at,
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
            {"chat_id": chat_id, **said, **state.shown()}
            for chat_id, said, state in zip(bot.chat_ids, facts.known_chats(bot), states, strict=True)
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
