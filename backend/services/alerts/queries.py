"""Reads alerts: lists with filters, one with everything about it, and what happens to it next."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, or_, select

from backend.channels import richtext
from backend.core import clock
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Alert, AlertItem, AlertMessage, AlertPolicy, Message
from backend.services import delivery, paging, text_search
from backend.services.alerts.rules import policies
from backend.services.alerts.severities import SEVERITIES
from backend.services.alerts.state import reach, timing
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.alerts.state.reach import NOWHERE, Reach
from backend.services.alerts.state.timing import Step
from backend.services.delivery import MessageStatus

OPEN = ("firing", "acknowledged", "snoozed")
_WEEK: Final = timedelta(days=7)
_CHOICES: Final = 200


@dataclass(frozen=True, slots=True)
class Overview:
    """An alert in a list: how much is in it, and what happens by itself."""

    alert: Alert
    count: int
    items: int
    firing: int
    upcoming: list[Step]
    reach: Reach = NOWHERE


@dataclass(frozen=True, slots=True)
class MessageProgress:
    """One of an alert's messages and how far it got."""

    row: AlertMessage
    status: MessageStatus


def get(alert_id: int) -> Alert:
    """An alert of the workspace in scope. Raises NotFound."""
    alert = db.session.get(Alert, alert_id)
    if alert is None:
        raise NotFound("alert_not_found", "There is no such alert.")
    return alert


def listing(
    *,
    state: str | None = None,
    severity: str | None = None,
    bot_name: str | None = None,
    labels: Sequence[tuple[str, str]] = (),
    text: str | None = None,
    by_user_id: int | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Overview], str | None]:
    """The workspace's alerts, the newest first. `state` is one of the states, `open`, or `undelivered`. With several
    `labels`, as (name, value), one item of the alert has them all.

    Raises Unavailable (`search_too_slow`) for a text.
    """
    query = _filtered(state, severity, bot_name, labels, text, by_user_id)
    with text_search.bounded() if text else nullcontext():
        alerts, following = paging.page(query, Alert.id, cursor=cursor, limit=limit)
    return overviews(alerts), following


def worst(
    *,
    severity: str | None = None,
    bot_name: str | None = None,
    labels: Sequence[tuple[str, str]] = (),
    text: str | None = None,
    by_user_id: int | None = None,
    state: str | None = None,
    most: int = 100,
) -> tuple[list[Overview], int]:
    """The open alerts, worst first, and how many there are: what nobody has taken before the rest, then by severity,
    then the oldest. `state` is one of `OPEN`, or all of them. Raises Unavailable (`search_too_slow`) for a text."""
    query = _filtered(state or "open", severity, bot_name, labels, text, by_user_id)
    silenced = Alert.silenced_until > clock.now()
    taken = case((and_(Alert.state == "firing", silenced.is_not(True)), 0), else_=1)
    grave = case({word: place for place, word in enumerate(SEVERITIES)}, value=Alert.severity, else_=len(SEVERITIES))
    began = func.coalesce(Alert.started_at, Alert.opened_at)
    with text_search.bounded() if text else nullcontext():
        alerts = db.session.scalars(query.order_by(taken, grave, began, Alert.id).limit(most)).all()
        count = len(alerts)
        if count == most:
            count = db.session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return overviews(alerts), count


def tallies() -> dict[str, int]:
    """How many alerts are in each of the open states, how many of those are `undelivered`, and how many were
    `resolved` in the last seven days."""
    known: dict[str, int] = dict.fromkeys((*OPEN, "undelivered"), 0)
    counted = (
        select(Alert.state, func.count(), func.count(Alert.undelivered_code))
        .where(Alert.resolved_at.is_(None))
        .group_by(Alert.state)
    )
    for state, count, undelivered in db.session.execute(counted):
        known[state] = count
        known["undelivered"] += undelivered
    lately = select(func.count(Alert.id)).where(Alert.resolved_at > clock.now() - _WEEK)
    return known | {"resolved": db.session.execute(lately).scalar_one()}


def bots_and_severities() -> tuple[list[str], list[str]]:
    """What the open alerts can be filtered by: names of bots, and severities, the gravest first."""
    rows = db.session.execute(
        select(Alert.bot_name, Alert.severity).where(Alert.resolved_at.is_(None)).distinct().limit(_CHOICES)
    ).all()
    place = {word: at for at, word in enumerate(SEVERITIES)}
    severities = sorted({row[1] for row in rows}, key=lambda word: (place.get(word, len(place)), word))
    return sorted({row[0] for row in rows}), severities


def first_items(alert_ids: Sequence[int]) -> dict[int, AlertItem]:
    """The first item of each of these alerts, by the alert's id."""
    first = (
        select(func.min(AlertItem.id))
        .select_from(AlertItem)
        .where(AlertItem.alert_id.in_(alert_ids))
        .group_by(AlertItem.alert_id)
    )
    rows = db.session.scalars(select(AlertItem).where(AlertItem.id.in_(first)))
    return {item.alert_id: item for item in rows}


def words(item: AlertItem) -> str:
    """What an item says, without its markup."""
    return richtext.visible(richtext.read(item.body)).strip()


def safe_links(alert: Alert) -> list[dict[str, str]]:
    """Its buttons that open an address of the web; whatever else a program called an address is no link."""
    return [link for link in alert.links if richtext.is_web_address(str(link.get("url", "")))]


def overviews(alerts: Sequence[Alert]) -> list[Overview]:
    """These alerts with their counts and what is next."""
    ids = [alert.id for alert in alerts]
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
        select(AlertPolicy).where(AlertPolicy.id.in_({alert.policy_id for alert in alerts} - {None}))
    ).all()
    by_id = {policy.id: policy for policy in known}
    reached = reach.of(ids)
    listed = []
    for alert in alerts:
        policy = by_id.get(alert.policy_id or 0)
        count, items, firing = numbers.get(alert.id, (0, 0, 0))
        steps = timing.upcoming(LockedAlert(alert, [], policy).facts(), policies.rules_of(policy, alert.source))
        shown_steps = [step for step in steps if step.what != "edit"]
        listed.append(Overview(alert, count, items, firing, shown_steps, reached.get(alert.id, NOWHERE)))
    return listed


def items(alert_id: int, *, cursor: str | None = None, limit: int = 50) -> tuple[list[AlertItem], str | None]:
    """What is in an alert, in the order of its message. Raises NotFound."""
    get(alert_id)
    query = select(AlertItem).where(AlertItem.alert_id == alert_id)
    return paging.page(query, AlertItem.id, cursor=cursor, limit=limit, descending=False)


def messages(alert_id: int, *, most: int = 50) -> list[MessageProgress]:
    """Its newest messages and how far each got."""
    rows: Any = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(AlertMessage.alert_id == alert_id)
        .order_by(AlertMessage.id.desc())
        .limit(most)
    ).all()
    statuses = delivery.statuses_of([message for _, message in rows])
    return [MessageProgress(row, status) for (row, _), status in zip(rows, statuses, strict=True)]


def _filtered(
    state: str | None,
    severity: str | None,
    bot_name: str | None,
    labels: Sequence[tuple[str, str]],
    text: str | None,
    by_user_id: int | None,
) -> Select[Alert]:
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
        inside = select(AlertItem.id).where(AlertItem.alert_id == Alert.id)
        inside = inside.where(*(_has_label(name, value) for name, value in labels))
        query = query.where(inside.exists())
    if text:
        like = text_search.holding(text)
        holds_text = select(AlertItem.id).where(
            AlertItem.alert_id == Alert.id, or_(AlertItem.title.ilike(like), AlertItem.body.ilike(like))
        )
        query = query.where(or_(Alert.title.ilike(like), holds_text.exists()))
    return query


def _has_label(name: str, value: str) -> ColumnElement[bool]:
    """Whether an item has that label, as `matching.visible` shows it to a matcher `=`; absent is the empty text."""
    known: dict[str, Any] = {"severity": AlertItem.severity, "title": AlertItem.title, "bot_name": Alert.bot_name}
    own = AlertItem.labels.contains({name: value})
    if name == "severity":
        return or_(own, AlertItem.severity == value)
    absent = not_(AlertItem.labels.has_key(name))
    if name in known:
        return or_(own, and_(absent, known[name] == value))
    return own if value else or_(own, absent)
