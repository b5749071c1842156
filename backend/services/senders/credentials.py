"""A bot's token: where it is kept, and what follows from a new one."""

from __future__ import annotations

import re

from backend.channels.base import Credentials
from backend.core.encrypted_columns import keyring
from backend.core.errors import Invalid
from backend.models import Sender
from backend.services.senders.state import enable

_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{1,128}(/test)?")


def credentials_of(sender: Sender) -> Credentials:
    """What the channel needs to act for this sender. Raises Invalid for a sender without a token."""
    token = sender.credentials
    if not token:
        raise Invalid("bot_without_token", "This bot has no token.")
    return Credentials(token=token, external_id=sender.external_id)


def bot_id_of(token: str) -> str | None:
    """The bot's own id, which a token begins with; None for what is not a token."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None


def token_hash(token: str) -> bytes:
    """The keyed hash by which a token is recognised without opening it."""
    return keyring().lookup("sender.credentials", token)


def set_token(sender: Sender, token: str) -> bool:
    """Gives the sender this token; True if it is another one than before.

    A new token ends a disabling by the provider. Another bot's token also forgets what was known of the old bot.
    """
    hashed = token_hash(token)
    if sender.credentials_hash == hashed and sender.credentials is not None:
        return False
    bot_id = bot_id_of(token)
    if sender.external_id != bot_id:
        sender.external_id, sender.username = bot_id, None
        sender.facts = {}
    sender.credentials = token
    sender.credentials_hash = hashed
    enable(sender, "token_changed")
    return True
