"""Storing an event that was decided on, together with what its subject tells now: one statement."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from backend.core.database import db, require_scope_of, system_scope
from backend.models import NotificationEvent, NotificationSubject
from backend.services import live

_COLUMNS: Final = tuple(NotificationEvent.__mapper__.column_attrs.keys())
_NOTED: Final = ("message_id", "version", "updated_at")
_STORE: Final = text(
    f"""
    WITH noted AS (
        UPDATE notification_subjects
           SET message_id = :subject_message_id, version = :subject_version, updated_at = :subject_updated_at
         WHERE id = :subject_id AND workspace_id = :workspace_id
    )
    INSERT INTO notification_events ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
    """  # noqa: S608 - the model's own column names
).bindparams(
    *(bindparam(name, type_=NotificationEvent.__table__.c[name].type) for name in _COLUMNS),
    *(bindparam(f"subject_{name}", type_=NotificationSubject.__table__.c[name].type) for name in ("id", *_NOTED)),
)


def store(event: NotificationEvent, subject: NotificationSubject | None) -> None:
    """Stores an event that has its id, after its message, which it names, and what its subject's row holds."""
    if subject is None or event in db.session:
        db.session.add(event)
        db.session.flush()
        return
    require_scope_of(event.workspace_id)
    values = {name: getattr(event, name) for name in _COLUMNS}
    noted = {f"subject_{name}": getattr(subject, name) for name in ("id", *_NOTED)}
    named = system_scope("SQL as text names the workspace itself, which was compared with the scope")
    with named, db.session.no_autoflush:
        db.session.execute(_STORE, values | noted)
    for name in _NOTED:
        set_committed_value(subject, name, getattr(subject, name))
    make_transient_to_detached(event)
    db.session.add(event)
    live.note(event.workspace_id, "events", event_id=event.id, user_id=event.user_id)
