"""Looking at alerts: lists with filters, one with everything about it, and what happens to it next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Alert, AlertItem, AlertMessage, AlertPolicy, Message
from backend.services import delivery, paging
from backend.services.alerts import cases, policies, timing
from backend.services.alerts.timing import Step
from backend.services.delivery import MessageStatus

OPEN = ("firing", "acknowledged", "snoozed")


@dataclass(frozen=True, slots=True)
class Overview:
    """An alert in a list: how much is in it, and what happens by itself."""

    alert: Alert
    count: int
    items: int
    firing: int
    upcoming: list[Step]


@dataclass(frozen=True, slots=True)
class Said:
    """One of an alert's messages and how far it got."""

    row: AlertMessage
    status: MessageStatus


def get(alert_id: int) -> Alert:
    """An alert of the workspace in scope. Raises NotFound."""
    found = db.session.get(Alert, alert_id)
    if found is None:
        raise NotFound("alert_not_found", "There is no such alert.")
    return found


def listing(
    *,
    state: str | None = None,
    severity: str | None = None,
    bot_name: str | None = None,
    labels: Mapping[str, str] | None = None,
    text: str | None = None,
    by_user_id: int | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Overview], str | None]:
    """The workspace's alerts, the newest first. `state` is one of the states, `open`, or `undelivered`."""
    query = select(Alert)
    if state == "open":
        query = query.where(Alert.resolved_at.is_(None))
    elif state == "undelivered":
        query = query.where(Alert.undelivered_code.is_not(None))
    elif state is not None:
        query = query.where(Alert.state == state)
    if severity is not None:
        query = query.where(Alert.severity == severity)
    if bot_name is not None:
        query = query.where(func.lower(Alert.bot_name) == bot_name.lower())
    if by_user_id is not None:
        query = query.where(Alert.by_user_id == by_user_id)
    if labels:
        inside = select(AlertItem.id).where(AlertItem.alert_id == Alert.id, AlertItem.labels.contains(dict(labels)))
        query = query.where(inside.exists())
    if text:
        like = f"%{_escaped(text)}%"
        said = select(AlertItem.id).where(
            AlertItem.alert_id == Alert.id, or_(AlertItem.title.ilike(like), AlertItem.body.ilike(like))
        )
        query = query.where(or_(Alert.title.ilike(like), said.exists()))
    found, following = paging.page(query, Alert.id, cursor=cursor, limit=limit)
    return overviews(found), following


def overviews(found: Sequence[Alert]) -> list[Overview]:
    """These alerts with their counts and what is next."""
    ids = [alert.id for alert in found]
    counted = (
        select(
            AlertItem.alert_id,
            func.sum(AlertItem.count),
            func.count(AlertItem.id),
            func.count(AlertItem.id).filter(AlertItem.resolved_at.is_(None)),
        )
        .where(AlertItem.alert_id.in_(ids))
        .group_by(AlertItem.alert_id)
    )
    numbers: dict[int, tuple[int, int, int]] = {
        row[0]: (int(row[1]), row[2], row[3]) for row in db.session.execute(counted)
    }
    known = db.session.scalars(
        select(AlertPolicy).where(AlertPolicy.id.in_({alert.policy_id for alert in found} - {None}))
    ).all()
    by_id = {policy.id: policy for policy in known}
    made = []
    for alert in found:
        policy = by_id.get(alert.policy_id or 0)
        count, items, firing = numbers.get(alert.id, (0, 0, 0))
        steps = timing.upcoming(cases.facts_of(alert, policy), policies.rules_of(policy, alert.source))
        made.append(Overview(alert, count, items, firing, [step for step in steps if step.what != "edit"]))
    return made


def items(alert_id: int, *, cursor: str | None = None, limit: int = 50) -> tuple[list[AlertItem], str | None]:
    """What is in an alert, in the order of its message. Raises NotFound."""
    get(alert_id)
    query = select(AlertItem).where(AlertItem.alert_id == alert_id)
    return paging.page(query, AlertItem.id, cursor=cursor, limit=limit, descending=False)


def messages(alert_id: int, *, most: int = 50) -> list[Said]:
    """Its newest messages and how far each got."""
    rows: Any = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(AlertMessage.alert_id == alert_id)
        .order_by(AlertMessage.id.desc())
        .limit(most)
    ).all()
    return [Said(row, delivery.status_of(message)) for row, message in rows]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
