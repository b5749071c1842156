"""Versions of a message: what it said before, in the order of the moments at which it was edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db
from backend.models import Message, MessageVersion

MAX_VERSIONS: Final = 100
"""So many earlier versions of a message are kept: the first ones."""


def edit(message: Message, body: dict[str, Any], at: datetime | None, content: dict[str, Any] | None = None) -> None:
    """Adds a version to a message that its caller has locked; the newest by its moment is what the message says now.

    The same words at the same moment are one version. Without a moment it is now.
    """
    at = at or clock.now()
    query = select(MessageVersion).where(MessageVersion.message_id == message.id).order_by(MessageVersion.version)
    stored = list(db.session.scalars(query))
    current = (message.edited_at or message.at, dict(message.body))
    known = [(row.edited_at, row.body) for row in stored] + [current]
    given = (at, body)
    if any(moment == at and _words(former_body) == _words(body) for moment, former_body in known):
        return
    ordered = sorted([*known, given], key=lambda version: (version[0], _words(version[1])))
    # What it came with stays the first, whatever moments a provider gives.
    first = known[0] if stored else current
    ordered.remove(first)
    ordered.insert(0, first)
    newest = ordered.pop()
    db.session.execute(delete(MessageVersion).where(MessageVersion.message_id == message.id))
    rows = [
        {
            "workspace_id": message.workspace_id,
            "message_id": message.id,
            "version": number,
            "body": former_body,
            "edited_at": moment,
        }
        for number, (moment, former_body) in enumerate(ordered[:MAX_VERSIONS], 1)
    ]
    if rows:
        db.session.execute(insert(MessageVersion).values(rows))
    if newest is given and content is not None:
        message.content = content
    message.body = newest[1]
    message.edited_at = newest[0]
    message.version = len(ordered) + 1
    db.session.flush()


def _words(body: dict[str, Any]) -> str:
    return "\n".join(str(part.get("text", "")) for part in body.get("parts", ()))
