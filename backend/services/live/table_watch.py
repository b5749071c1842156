"""Watching tables: every row that a feature stores through the session is noted as a live event.

A feature says once which of its rows people see: `watch(Alert, "alerts", ids={"alert_id": "id"})`. Statements that
change rows in bulk go past the session; who writes one calls `note` or `note_many`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm.attributes import instance_state

from backend.core.database import TenantSession
from backend.models import (
    Alert,
    AlertSilence,
    AutomationRule,
    Contact,
    ContactImport,
    Conversation,
    JobRun,
    Message,
    NotificationEvent,
    OutgoingDelivery,
    OutgoingWebhook,
    Post,
    RuleRun,
    ScheduledMessage,
    Sender,
    StoredFile,
    TelegramLink,
    User,
)
from backend.services.live.changes import Note, note_many


@dataclass(frozen=True, slots=True)
class _Watched:
    topic: str
    ids: tuple[tuple[str, str], ...]
    fields: frozenset[str]
    only_for: str | None
    when: str | None


_watched: dict[type, _Watched] = {}


def watch(
    model: type,
    topic: str,
    *,
    ids: Mapping[str, str],
    fields: Collection[str] = (),
    only_for: str | None = None,
    when: str | None = None,
) -> None:
    """Notes every new, changed and deleted row of `model` under `topic`.

    `ids` are the event's names and the attributes they come from. With `fields` a change of other attributes is none.
    `only_for` names the attribute with the one person who may hear of it, `when` one that must be true. Rows without a
    workspace are not noted.
    """
    _watched[model] = _Watched(topic, tuple(ids.items()), frozenset(fields), only_for, when)


@event.listens_for(TenantSession, "after_flush")
def _look(session: TenantSession, _context: Any) -> None:
    notes = []
    for item in (*session.new, *session.dirty, *session.deleted):
        watched = _watched.get(type(item))
        if watched is None:
            continue
        values = item.__dict__
        if item in session.dirty and not _changed(item, watched):
            continue
        workspace_id = values.get("workspace_id")
        if workspace_id is None or (watched.when is not None and not values.get(watched.when)):
            continue
        named = tuple((name, values[attribute]) for name, attribute in watched.ids if values.get(attribute) is not None)
        notes.append(
            Note(workspace_id, watched.topic, named, values.get(watched.only_for) if watched.only_for else None)
        )
    if notes:
        note_many(notes)


def _changed(item: object, watched: _Watched) -> bool:
    """Whether something that people see has changed; the flush is over, but its history is still there."""
    changed = instance_state(item).committed_state.keys()
    return bool(changed & watched.fields if watched.fields else changed)


watch(
    Message,
    "messages",
    ids={"message_id": "id", "conversation_id": "conversation_id"},
    fields=(
        "state",
        "error",
        "version",
        "edited_at",
        "deleted_at",
        "delivered_at",
        "read_at",
        "played_at",
        "sent_at",
    ),
)
watch(
    Conversation,
    "conversations",
    ids={"conversation_id": "id"},
    fields=(
        "in_inbox",
        "status",
        "in_charge",
        "assignee_id",
        "unread_count",
        "reply_until",
        "reply_reason",
        "snoozed_until",
        "last_activity_at",
        "visibility",
    ),
    when="in_inbox",
)
watch(NotificationEvent, "events", ids={"event_id": "id", "user_id": "user_id"})
watch(TelegramLink, "links", ids={"user_id": "user_id", "bot_id": "sender_id"})
watch(Sender, "bots", ids={"bot_id": "id"}, fields=("is_active", "disabled_code", "name", "username", "facts"))
watch(JobRun, "jobs", ids={"run_id": "id"})
watch(
    Alert,
    "alerts",
    ids={"alert_id": "id"},
    fields=(
        "state",
        "severity",
        "title",
        "acknowledged_at",
        "snoozed_until",
        "silenced_until",
        "resolved_at",
        "level",
        "edited_at",
        "undelivered_code",
    ),
)
watch(AlertSilence, "silences", ids={"silence_id": "id"})
watch(Post, "posts", ids={"post_id": "id"}, fields=("state", "reason", "scheduled_at", "content", "likes", "comments"))
watch(AutomationRule, "rules", ids={"rule_id": "id"})
watch(RuleRun, "rules", ids={"rule_id": "rule_id"})
watch(ScheduledMessage, "scheduled_messages", ids={"scheduled_message_id": "id"})
watch(OutgoingWebhook, "webhooks", ids={"webhook_id": "id"})
watch(OutgoingDelivery, "webhooks", ids={"webhook_id": "webhook_id", "delivery_id": "id"}, fields=("state",))
watch(User, "people", ids={"user_id": "id"}, fields=("name", "role", "disabled_at"))
watch(StoredFile, "files", ids={"file_id": "id"})
watch(Contact, "contacts", ids={"contact_id": "id"})
watch(ContactImport, "imports", ids={"import_id": "id"}, fields=("state", "rows_done", "rows_total", "error"))
