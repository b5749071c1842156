"""Finding by name in the workspace in scope: a few of each kind, for who knows what they look for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, or_, select

from backend.core.database import db, system_scope
from backend.models import NotificationType, Sender, User
from backend.services import text_search

_EACH: Final = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """Something of this name: `kind` is `person`, `bot` or `type`."""

    kind: str
    id: int
    name: str
    note: str | None = None


def find(workspace_id: int, words: str) -> list[Hit]:
    """People, bots and notification types of the workspace whose name holds these words.

    Nothing for fewer than two characters, or for more than a name has. Raises Unavailable (`search_too_slow`).
    """
    wanted = words.replace("\0", "").strip()
    if not 2 <= len(wanted) <= text_search.MAX_LENGTH:
        return []
    with text_search.bounded():
        return _find(workspace_id, text_search.holding(wanted))


def _find(workspace_id: int, like: str) -> list[Hit]:
    people = db.session.execute(
        select(User.id, User.name, User.email)
        .where(or_(User.name.ilike(like, escape="\\"), User.email.ilike(like, escape="\\")))
        .order_by(func.lower(User.name), User.id)
        .limit(_EACH)
    ).all()
    types = db.session.execute(
        select(NotificationType.id, NotificationType.name, NotificationType.title)
        .where(or_(NotificationType.name.ilike(like, escape="\\"), NotificationType.title.ilike(like, escape="\\")))
        .order_by(NotificationType.name)
        .limit(_EACH)
    ).all()
    return [
        *(Hit("person", row.id, row.name, row.email) for row in people),
        *(Hit("bot", row.id, row.name, row.username) for row in _bots(workspace_id, like)),
        *(Hit("type", row.id, row.title, row.name) for row in types),
    ]


def _bots(workspace_id: int, like: str) -> list[Sender]:
    with system_scope("senders are kept apart by their owner, here"):
        return list(
            db.session.execute(
                select(Sender)
                .where(Sender.workspace_id == workspace_id, Sender.source == "database", Sender.deleted_at.is_(None))
                .where(or_(Sender.name.ilike(like, escape="\\"), Sender.username.ilike(like, escape="\\")))
                .order_by(func.lower(Sender.name), Sender.id)
                .limit(_EACH)
            ).scalars()
        )
