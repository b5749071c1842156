"""A sender's token and settings: where they are kept, and what follows from new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backend.channels import registry
from backend.channels.base import Credentials
from backend.channels.spec import no_id
from backend.core import config
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.errors import Invalid
from backend.models import Sender
from backend.services.senders.state import enable

MAX_SETTING: Final = 4096
"""Characters of one setting."""


def credentials_of(sender: Sender) -> Credentials:
    """What the channel needs to act for this sender. Raises Invalid for a sender without a token."""
    token = sender.credentials
    if not token:
        raise Invalid("bot_without_token", "This bot has no token.")
    return Credentials(token=token, external_id=sender.external_id, settings=settings_of(sender))


def settings_of(sender: Sender) -> Mapping[str, str]:
    """What the channel needs beside the token, by name: of the environment's sender as the environment says it now."""
    if sender.source == "environment":
        declared = registry.spec(sender.channel).environment(config.get())
        return {} if declared is None else declared.settings
    return sender.settings


def change_settings(sender: Sender, changes: Mapping[str, str | None]) -> list[str]:
    """Sets these settings of a sender of the database, and removes those that are None; returns the names of those that
    changed. Raises Invalid for a value that no provider gives."""
    for name, value in changes.items():
        if value is not None and (not value or len(value) > MAX_SETTING or value != "".join(value.split())):
            raise Invalid("malformed_setting", f"{name} holds no spaces and 1 to {MAX_SETTING} characters.")
    with system_scope("a sender is no tenant table"):
        before = sender.settings
        after = {name: value for name, value in (before | dict(changes)).items() if value is not None}
        sender.settings = after
        db.session.flush()
    return sorted(name for name in changes if before.get(name) != after.get(name))


def token_hash(token: str) -> bytes:
    """The keyed hash by which a token is recognised without opening it."""
    return keyring().lookup("sender.credentials", token)


def set_token(sender: Sender, token: str) -> bool:
    """Gives the sender this token; True if it is another one than before.

    A new token ends a disabling by the provider. Another account's token also forgets what was known of the old one.
    """
    hashed = token_hash(token)
    if sender.credentials_hash == hashed and sender.credentials is not None:
        return False
    identify = registry.spec(sender.channel).id_in_token
    account_id = identify(token)
    # Where tokens do not tell whose they are, a new one is believed to be of the same account.
    if identify is not no_id and sender.external_id != account_id:
        sender.external_id, sender.username = account_id, None
        sender.facts = {}
    sender.credentials = token
    sender.credentials_hash = hashed
    enable(sender, "token_changed")
    return True


def renew_token(sender: Sender, token: str) -> None:
    """Gives a locked sender a token that its provider made out of the one it has.

    The environment's sender keeps the hash of the token that the environment names, so that this one holds in its place
    until the environment names another.
    """
    sender.credentials = token
    if sender.source != "environment":
        sender.credentials_hash = token_hash(token)
    enable(sender, "token_renewed")
    db.session.flush()
