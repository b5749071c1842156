"""Files that people sent, downloaded from the provider that keeps them."""

from __future__ import annotations

from typing import BinaryIO

from backend.channels.errors import SenderDisabled
from backend.core.database import db
from backend.models import Sender
from backend.services.senders import provider
from backend.services.senders.credentials import credentials_of


def download_file(sender_id: int, external_file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
    """Writes a received file into `sink` and returns its size in bytes; ends the caller's transaction first.

    Raises SenderDisabled for a sender that is gone or has no token, and what the channel raises.
    """
    sender = db.session.get(Sender, sender_id)
    if sender is None or not sender.credentials:
        db.session.rollback()
        raise SenderDisabled("bot_without_token")
    credentials, channel = credentials_of(sender), sender.channel
    db.session.rollback()
    return provider.for_files(channel).download(credentials, external_file_id, sink, max_bytes=max_bytes)
