"""Files that people sent, downloaded from the provider that keeps them."""

from __future__ import annotations

from typing import BinaryIO

from backend.channels.errors import SenderDisabled
from backend.core.database import db
from backend.models import Sender
from backend.services.senders import provider


def download_file(sender_id: int, external_file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
    """Writes a received file into `sink` and returns its size in bytes; ends the caller's transaction first.

    Raises SenderDisabled for a sender that is gone or has no token, and what the channel raises.
    """
    sender = db.session.get(Sender, sender_id)
    token = sender.credentials if sender is not None else None
    db.session.rollback()
    if not token:
        raise SenderDisabled("bot_without_token")
    return provider.for_files().download(token, external_file_id, sink, max_bytes=max_bytes)
