"""What needs somebody now, worst first, and the figures of the day, of the workspace in scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Alert, Delivery, Message, NotificationEvent, Post, Sender, WebhookEvent

_DAY: Final = timedelta(days=1)
_LATE: Final = timedelta(minutes=1)
_EACH: Final = 5


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One thing that somebody should look at. `kind` is a code with words in the console's catalog; `values` fill
    them; `about` is what it concerns, as (table, id)."""

    kind: str
    tone: str
    since: datetime
    values: dict[str, Any] = field(default_factory=dict)
    about: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The last 24 hours, and the queue now. `oldest_seconds` is how long the oldest due operation has waited."""

    sent: int
    failed: int
    events: int
    suppressed: int
    waiting: int
    oldest_seconds: float


def needs(workspace_id: int) -> list[AttentionItem]:
    """What needs somebody: switched-off bots, firing alerts, posts and messages whose outcome nobody knows, updates
    that could not be processed, failed messages. Bad ones first, each by age."""
    found = [*_bots(workspace_id), *_alerts(), *_posts(), *_messages()]
    return sorted(found, key=lambda need: (need.tone != "bad", need.since))


def figures() -> Figures:
    """The figures of the last 24 hours, by four counts."""
    since, now = clock.now() - _DAY, clock.now()
    sent, failed = db.session.execute(
        select(
            func.count(Message.id).filter(Message.state.in_(("sent", "delivered", "read"))),
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
        .where(Message.direction == "out", Message.state.in_(("failed", "unknown")))
        .where(Message.created_at >= clock.now() - _DAY)
        .group_by(Message.state, Message.error)
        .order_by(func.count(Message.id).desc())
        .limit(_EACH)
    ).all()
    return [
        AttentionItem(
            f"messages_{state}", "bad" if state == "unknown" else "warn", since, {"count": count, "code": error or "–"}
        )
        for state, error, count, since in rows
    ]
