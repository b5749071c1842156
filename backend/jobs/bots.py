"""The Python surface of Telegram as jobs, for schedules and for whoever enqueues from elsewhere.

Arguments are plain JSON. A message's `key` makes a job that runs twice store it once; the rest is harmless twice.

    Queue("notifications").enqueue("backend.jobs.bots.send_message", 1, "release-4.2", "Release 4.2", bot_name="deploy")
"""

from __future__ import annotations

from typing import Any

from backend.core.work import Turn
from backend.services import host_api
from backend.services.bots import health


def send_message(workspace_id: int, key: str, text: str, **options: Any) -> list[int]:
    """Stores a message; returns the ids. See `telegram_service.send_message` for the options."""
    return list(host_api.send_message(text, workspace_id=workspace_id, key=key, **options).message_ids)


def send_photo(workspace_id: int, key: str, photo: int | str, caption: str = "", **options: Any) -> list[int]:
    """Stores a picture, from a file's id or an address; returns the ids."""
    sent = host_api.send_photo(photo, caption, workspace_id=workspace_id, key=key, **options)
    return list(sent.message_ids)


def send_document(workspace_id: int, key: str, document: int | str, caption: str = "", **options: Any) -> list[int]:
    """Stores a document, from a file's id or an address; returns the ids."""
    sent = host_api.send_document(document, caption, workspace_id=workspace_id, key=key, **options)
    return list(sent.message_ids)


def answer_callback(workspace_id: int, callback_id: str, text: str = "", **options: Any) -> None:
    """Answers a pressed button; Telegram takes the first answer only."""
    host_api.answer_callback(callback_id, text, workspace_id=workspace_id, **options)


def set_webhook(workspace_id: int, bot_id: int | None = None, base_url: str | None = None) -> str:
    """Registers a bot's webhook, by default the environment's own; returns the address."""
    return host_api.TelegramWebhook(bot_id=bot_id, workspace_id=workspace_id).set(base_url)


def delete_webhook(workspace_id: int, bot_id: int | None = None) -> None:
    """Deletes a bot's webhook."""
    host_api.TelegramWebhook(bot_id=bot_id, workspace_id=workspace_id).delete()


def check_health() -> int:
    """Checks the bots that are due; returns how many."""
    return health.check_health(Turn(60.0))
