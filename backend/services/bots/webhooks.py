"""A bot's webhook from a person's side: registered, read, deleted, its secret changed.

Everything here commits before it asks Telegram. A new secret is stored beside the one in force before Telegram is told,
and alone after: whatever happens in between, the updates that Telegram sends are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backend.channels.errors import ChannelError
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services import senders
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.bots import catalog, command_menu, telegram_lookup, webhook_state
from backend.services.bots.webhook_state import Receiving
from backend.services.senders import webhook_verifier

log = get_logger(__name__)
_WHY: Final = "a sender is no tenant table"


@dataclass(frozen=True, slots=True)
class WebhookState:
    """What Telegram says of a webhook. `ours`: whether it leads here; `url` is empty where there is none, and
    `expected_url` what it would be."""

    url: str
    expected_url: str
    ours: bool
    pending: int
    last_error: str | None
    last_error_at: datetime | None


def info(bot_id: int) -> WebhookState:
    """What Telegram says. Raises NotFound, Invalid(`token_refused`), Unavailable(`bot_unavailable`)."""
    bot = catalog.get(bot_id)
    return webhook_state_of(bot)


def webhook_state_of(bot: Sender) -> WebhookState:
    """What Telegram says of any bot's webhook; commits before it asks."""
    with telegram_lookup.clear_errors():
        info = senders.webhook_status(bot)
    expected = senders.webhook_address(bot)
    return WebhookState(info.url, expected, info.url == expected, info.pending, info.last_error, info.last_error_at)


def register(by: Attribution, bot_id: int, *, drop_pending: bool = False) -> str:
    """Has Telegram deliver the bot's updates here, and show its menu of commands; returns the address.

    Raises NotFound, Invalid (`webhook_address_refused`, `token_refused`, Telegram's reason), Unavailable.
    """
    bot = catalog.get(bot_id)
    with telegram_lookup.clear_errors():
        address = senders.register_webhook(bot, drop_pending=drop_pending)
        try:
            command_menu.register(bot)
        except ChannelError as error:
            # Updates arrive all the same, and commands are answered without a menu.
            log.warning("menu_not_registered", sender_id=bot_id, code=error.code)
    audit.record(by, "bot.webhook_registered", f"sender:{bot_id}", drop_pending=drop_pending)
    _keep(bot_id, webhook_state.WEBHOOK)
    webhook_verifier.forget()
    return address


def delete(by: Attribution, bot_id: int, *, drop_pending: bool = False) -> None:
    """Has Telegram keep the bot's updates, so that they can be polled. Raises what `info` raises."""
    bot = catalog.get(bot_id)
    with telegram_lookup.clear_errors():
        senders.unregister_webhook(bot, drop_pending=drop_pending)
    audit.record(by, "bot.webhook_deleted", f"sender:{bot_id}", drop_pending=drop_pending)
    _keep(bot_id, webhook_state.POLLING)


def rotate_secret(by: Attribution, bot_id: int) -> bool:
    """Gives the bot's webhook a new secret, and tells Telegram where the webhook leads here; whether it does.

    Where Telegram cannot be told the old secret stays good, and a repetition tries again. Raises what `info` raises.
    """
    bot = catalog.get(bot_id)
    registered = webhook_state_of(bot).ours
    bot = catalog.get(bot_id, lock=True)
    fresh = senders.new_webhook_secret(bot, keep=registered)
    audit.record(by, "bot.secret_rotated", f"sender:{bot.id}", registered=registered)
    db.session.commit()
    webhook_verifier.forget()
    if registered:
        with telegram_lookup.clear_errors():
            senders.register_webhook(bot)
        senders.settle_webhook_secret(catalog.get(bot_id, lock=True), fresh)
        webhook_verifier.forget()
    return registered


def forget(bot: Sender) -> None:
    """Has Telegram stop delivering to a bot that is about to be removed, where it delivers here. Commits first.

    Best effort: what still comes finds no bot, and whoever uses the account next sets a webhook of their own.
    """
    expected = senders.webhook_address(bot)
    if not bot.credentials:
        db.session.commit()
        return
    try:
        if senders.webhook_status(bot).url == expected:
            senders.unregister_webhook(bot)
    except ChannelError as error:
        log.warning("webhook_not_deleted", sender_id=bot.id, code=error.code)


def _keep(bot_id: int, how: Receiving) -> None:
    bot = catalog.get(bot_id, lock=True)
    with system_scope(_WHY):
        webhook_state.keep(bot, how)
        db.session.flush()
