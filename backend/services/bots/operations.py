"""What a person does to a bot where Telegram has to be asked or told on the way: before the transaction that stores it.

These commit what the caller has open, so that no transaction is open meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.core.database import db
from backend.models import Sender
from backend.services.auth.attribution import Attribution
from backend.services.bots import catalog, webhooks
from backend.services.bots.source_order import checked_token
from backend.services.bots.telegram_lookup import who_is

__all__ = ["change", "checked_token", "remove", "who_is"]


def change(by: Attribution, bot_id: int, fields: Mapping[str, Any]) -> Sender:
    """Changes a bot; a new token is shown to Telegram first. See `catalog.change` and `telegram_lookup.clear_errors`
    for what it raises: nothing has changed then."""
    bot = catalog.get(bot_id)
    token = fields.get("token")
    if token is None or token in (bot.credentials, catalog.mask(bot.credentials)):
        return catalog.change(by, bot_id, fields)
    token = checked_token(token)
    catalog.check_account(bot, token)
    db.session.commit()
    facts = who_is(token)
    return catalog.change(by, bot_id, fields, facts)


def remove(by: Attribution, bot_id: int) -> None:
    """Removes a bot, after Telegram was told to deliver nothing more here. Raises NotFound."""
    webhooks.forget(catalog.get(bot_id))
    catalog.remove(by, bot_id)
