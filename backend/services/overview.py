"""What needs somebody now, worst first, and the figures of the day, of the workspace in scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import (
    SENT_STATES,
    Alert,
    AlertMessage,
    Delivery,
    Message,
    NotificationEvent,
    Post,
    Sender,
    WebhookEvent,
)
from backend.services import paging

_DAY: Final = timedelta(days=1)
_LATE: Final = timedelta(minutes=1)
_EACH: Final = 5
NO_CODE: Final = "–"
"""What stands for a reason that nobody knows."""


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One thing that needs somebody. `kind` is a code with words in the console's catalog; `values` fill
    them; `about` is what it concerns, as (table, id)."""

    kind: str
    tone: str
    since: datetime
    values: dict[str, Any] = field(default_factory=dict)
    about: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class UnsentMessage:
    """A message that failed or may not have arrived. `about` is its alert or event, as (table, id)."""

    message: Message
    sender_name: str
    about: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The last 24 hours, and the queue now. `oldest_seconds` is how long the oldest due operation has waited."""

    sent: int
    failed: int
    events: int
    suppressed: int
    waiting: int
    oldest_seconds: float


def attention_items(workspace_id: int) -> list[AttentionItem]:
    """What needs somebody: switched-off bots, firing alerts, posts and messages whose outcome nobody knows, updates
    that could not be processed, failed messages. Bad ones first, each by age."""
    items = [*_bots(workspace_id), *_alerts(), *_posts(), *_messages()]
    return sorted(items, key=lambda need: (need.tone != "bad", need.since))


def unsent(
    *, state: str | None = None, code: str | None = None, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[UnsentMessage], str | None]:
    """The messages of the last 24 hours that failed or may not have arrived, newest first.

    `state` is `failed` or `unknown`, `code` a reason, `NO_CODE` where there is none.
    """
    query = select(Message).where(_is_unsent() if state is None else and_(_is_unsent(), Message.state == state))
    if code is not None:
        query = query.where(Message.error.is_(None) if code == NO_CODE else Message.error == code)
    messages, following = paging.page(query, Message.id, cursor=cursor, limit=limit)
    about = _subjects_of([message.id for message in messages])
    with system_scope("names of senders of the workspace's own messages"):
        senders = db.session.scalars(select(Sender).where(Sender.id.in_({message.sender_id for message in messages})))
        names = {sender.id: sender.name for sender in senders}
    return [
        UnsentMessage(message, names.get(message.sender_id, NO_CODE), about.get(message.id)) for message in messages
    ], following


def figures() -> Figures:
    """The figures of the last 24 hours, by four counts."""
    since, now = clock.now() - _DAY, clock.now()
    sent, failed = db.session.execute(
        select(
            func.count(Message.id).filter(Message.state.in_(SENT_STATES)),
            func.count(Message.id).filter(Message.state.in_(("failed", "unknown"))),
        ).where(Message.direction == "out", Message.created_at >= since)
    ).one()
    events, suppressed = db.session.execute(
        select(
            func.count(NotificationEvent.id),
            func.count(NotificationEvent.id).filter(NotificationEvent.decision == "suppressed"),
        ).where(NotificationEvent.created_at >= since)
    ).one()
    waiting, oldest = db.session.execute(
        select(func.count(Delivery.id), func.min(Delivery.due_at).filter(Delivery.due_at <= now))
    ).one()
    age = (now - oldest).total_seconds() if oldest is not None else 0.0
    return Figures(sent, failed, events, suppressed, waiting, max(0.0, age))


def _bots(workspace_id: int) -> list[AttentionItem]:
    with system_scope("senders are kept apart by their owner, here"):
        bots = db.session.execute(
            select(Sender)
            .where(Sender.workspace_id == workspace_id, Sender.deleted_at.is_(None), Sender.disabled_code.is_not(None))
            .where(Sender.source != "arguments", Sender.disabled_code != "not_configured")
            .order_by(Sender.disabled_at)
            .limit(_EACH)
        ).scalars()
        off = [
            AttentionItem(
                "bot_off",
                "bad",
                bot.disabled_at or bot.created_at,
                {"name": bot.name, "code": bot.disabled_code},
                ("senders", bot.id),
            )
            for bot in bots
        ]
        parked = db.session.execute(
            select(func.count(WebhookEvent.id), func.min(WebhookEvent.received_at))
            .join(Sender, Sender.id == WebhookEvent.sender_id)
            .where(WebhookEvent.state == "parked", Sender.workspace_id == workspace_id)
        ).one()
    if parked[0]:
        off.append(AttentionItem("parked", "warn", parked[1], {"count": parked[0]}))
    return off


def _alerts() -> list[AttentionItem]:
    rows = db.session.execute(
        select(Alert).where(Alert.state == "firing").order_by(Alert.opened_at).limit(_EACH)
    ).scalars()
    tones = {"critical": "bad"}
    return [
        AttentionItem(
            "alert",
            tones.get(alert.severity, "warn"),
            alert.started_at or alert.opened_at,
            {"title": alert.title, "severity": alert.severity},
            ("alerts", alert.id),
        )
        for alert in rows
    ]


def _posts() -> list[AttentionItem]:
    rows = db.session.execute(select(Post).where(Post.state == "unknown").order_by(Post.id).limit(_EACH)).scalars()
    return [
        AttentionItem(
            "post_unknown", "bad", post.due_at or post.created_at, {"platform": post.platform}, ("posts", post.id)
        )
        for post in rows
    ]


def _messages() -> list[AttentionItem]:
    rows = db.session.execute(
        select(Message.state, Message.error, func.count(Message.id), func.min(Message.created_at))
        .where(_is_unsent())
        .group_by(Message.state, Message.error)
        .order_by(func.count(Message.id).desc())
        .limit(_EACH)
    ).all()
    return [
        AttentionItem(
            f"messages_{state}",
            "bad" if state == "unknown" else "warn",
            since,
            {"count": count, "code": error or NO_CODE},
        )
        for state, error, count, since in rows
    ]


def _subjects_of(message_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """The alert or event, as (table, id), that each of these messages tells of, by the message's id."""
    alerts = select(AlertMessage.message_id, AlertMessage.alert_id).where(AlertMessage.message_id.in_(message_ids))
    events = select(NotificationEvent.message_id, NotificationEvent.id).where(
        NotificationEvent.message_id.in_(message_ids)
    )
    subjects = {row[0]: ("alerts", row[1]) for row in db.session.execute(alerts)}
    return subjects | {row[0] or 0: ("notification_events", row[1]) for row in db.session.execute(events)}


def _is_unsent() -> ColumnElement[bool]:
    """What holds for messages of the last 24 hours that failed or may not have arrived."""
    return and_(
        Message.direction == "out",
        Message.state.in_(("failed", "unknown")),
        Message.created_at >= clock.now() - _DAY,
    )
