"""Reports: what somebody or something says is wrong, or is over, becomes an alert in one transaction.

A repetition takes one statement (`counting`). Everything else goes through here, one group after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock, config, queue
from backend.core.database import db
from backend.models import Alert, AlertItem, AlertPolicy, Message
from backend.services.alerts import history, severities
from backend.services.alerts.history import Attribution
from backend.services.alerts.ingest import keys
from backend.services.alerts.lifecycle import endings, locked_alert, timing
from backend.services.alerts.lifecycle.locked_alert import LockedAlert
from backend.services.alerts.messages import notify, publish
from backend.services.alerts.rules import matchers, policies
from backend.services.alerts.rules.matchers import VisibleLabels
from backend.services.auth import audit

MAX_ITEMS: Final = 1_000
"""Distinct things that single reports bring into one alert; what comes beyond goes into a further one."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that is wrong, or over. `body` is neutral rich text; `links` are `{"text", "url"}`."""

    key: bytes
    severity: str
    title: str
    body: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Mapping[str, str]] = ()
    firing: bool = True
    started_at: datetime | None = None
    """When the reporting system says that it began (UTC)."""
    ended_at: datetime | None = None
    """When it says that it was over (UTC)."""


@dataclass(frozen=True, slots=True)
class Group:
    """What is reported together. `key` and `title` are given where the reporting system groups by itself.

    A group that `follows` goes to the open alert that has one of its things already: its `key` does not last.
    """

    source: str
    bot_name: str
    reports: Sequence[Report]
    key: bytes | None = None
    follows: bool = True
    title: str | None = None
    labels: Mapping[str, str] | None = None
    links: Sequence[Mapping[str, str]] = ()
    chat_ids: Sequence[str] = ()
    attachment: Mapping[str, Any] | None = None
    more: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a report did: `decision` is sent, partial (not all of its chats can be reached, for `reason`), grouped,
    counted, silenced, undelivered, resolved or ignored."""

    decision: str
    reason: str | None = None
    alert_id: int | None = None
    level: str | None = None
    message_ids: tuple[int, ...] = ()
    count: int = 0
    repaired: tuple[str, ...] = ()
    """Codes of what could not be taken as it was sent."""


def report(group: Group, by: Attribution) -> Outcome:
    """Takes the reports of one group, in the workspace in scope and the caller's transaction.

    `ignored`: it only said that something is over that was not open.
    """
    first, ordered = group.reports[0], policies.listing()
    policy = policies.first_matching(ordered, _seen(group))
    key = _open_group_key(group) or group.key
    if key is None:
        group_by = policy.group_by if policy else ()
        key = keys.group_of(first.key, group.bot_name, policy.id if policy else None, group_by, first.labels)
    case, found = _find(key, group)
    while case is not None and found == "full":
        key = keys.continued(key, case.alert.id)
        case, found = _find(key, group)
    if case is None:
        if not any(one.firing for one in group.reports):
            return Outcome("ignored", "not_open")
        case = _open(group, key, policy)
        found = "opened"
        audit.record(by.label, "alert.opened", f"alert:{case.alert.id}", source=group.source)
        history.note(case.alert, "opened", by)
    elif found == "reopened":
        if not any(one.firing for one in group.reports):
            return Outcome("ignored", "not_open", case.alert.id, case.alert.level)
        endings.reopen(case, by)
        audit.record(by.label, "alert.reopened", f"alert:{case.alert.id}", source=group.source)
    return _take(case, group, found, ordered, by)


def _open_group_key(group: Group) -> bytes | None:
    """The group of the open alert that has one of these things, where the group is not named by its sender."""
    if not group.follows:
        return None
    return db.session.scalars(
        select(Alert.group_key)
        .join(AlertItem, AlertItem.alert_id == Alert.id)
        .where(AlertItem.key.in_([one.key for one in group.reports]), Alert.resolved_at.is_(None))
        .order_by(Alert.id)
        .limit(1)
    ).one_or_none()


def _seen(group: Group) -> list[VisibleLabels]:
    """The labels of what is reported to fire, each with the worst severity: what a policy is chosen by."""
    reports = [one for one in group.reports if one.firing] or group.reports
    worst = severities.worst(one.severity for one in reports)
    return [
        matchers.visible(one.labels, severity=worst, title=group.title or one.title, bot_name=group.bot_name)
        for one in reports
    ]


def _take(case: LockedAlert, group: Group, found: str, ordered: Sequence[AlertPolicy], by: Attribution) -> Outcome:
    alert, now = case.alert, clock.now()
    known = {item.key: item for item in case.items}
    joined = ended = repeated = changed = 0
    for one in group.reports:
        item = known.get(one.key)
        if not one.firing:
            ended += _end(item, one, now)
        elif item is None:
            known[one.key] = _add(case, one, now)
            joined += 1
        else:
            refired = item.resolved_at is not None and found != "reopened"
            changed += item.resolved_at is not None or item.severity != one.severity or item.labels != one.labels
            _repeat(item, one, now)
            joined += refired and not _recent(alert, now)
            repeated += 1
    alert.more, alert.last_seen_at = group.more, now
    case.update_severity()
    case.update_labels(group.labels or {})
    if found != "opened" and (joined or changed) and case.firing:
        _choose_policy(case, ordered, by)
    case.apply_silences()
    if not case.firing:
        sent = endings.resolve(case, by, "told")
        audit.record(by.label, "alert.resolved", f"alert:{alert.id}", source=group.source)
        case.reschedule()
        return _outcome(case, "resolved", None, sent)
    return _decide(case, joined, ended, repeated, found, by)


def _choose_policy(case: LockedAlert, ordered: Sequence[AlertPolicy], by: Attribution) -> None:
    """Chooses the policy by all that fires in the alert now. Another one escalates anew: to others, perhaps sooner."""
    alert = case.alert
    policy = policies.first_matching(ordered, case.seen_by_policies())
    if (policy.id if policy else None) == alert.policy_id:
        return
    case.policy, alert.policy_id, alert.escalated_at = policy, policy.id if policy else None, None
    history.note(alert, "policy_changed", by, policy=alert.policy_id)


def _decide(case: LockedAlert, joined: int, ended: int, repeated: int, found: str, by: Attribution) -> Outcome:
    """What follows for the alert from what its items went through."""
    alert, now, rules = case.alert, clock.now(), case.rules
    if joined:
        if found != "opened":
            history.note(alert, "joined", by, count=joined)
            audit.record(by.label, "alert.joined", f"alert:{alert.id}", count=joined)
        if alert.state == "acknowledged":
            # What somebody acknowledged was not this.
            endings.reset_to_firing(case)
        wanted = timing.new_at(
            first_notified_at=alert.first_notified_at, notified_at=alert.notified_at, rules=rules, now=now
        )
        alert.notify_at = min(wanted, alert.notify_at) if alert.notify_at else wanted
    verdict = timing.on_report(
        known=not joined,
        open_alert=found != "reopened",
        state=alert.state,  # type: ignore[arg-type]  # a text column holding exactly these
        notified_at=alert.notified_at,
        waiting=alert.notify_at is not None,
        silenced=alert.silenced_until is not None,
        now=now,
        throttle=config.get().telegram_alert_throttle_seconds,
        repeat_interval=rules.repeat_interval,
    )
    case.request_edit()
    if found == "reopened":
        publish.bring_up_to_date(case, news=True)
    if alert.state == "firing" and alert.silenced_until is None:
        if alert.notify_at is not None and alert.notify_at <= now:
            note = "joined" if alert.first_notified_at is not None else None
            return _told(case, notify.tell(case, note))
        # A monitoring system that reports a change lists what has not changed as well; that is no repetition.
        if verdict == "again" and repeated and not ended:
            return _told(case, notify.tell(case, "again"))
    decision, reason = _kept(case, joined)
    case.reschedule()
    if alert.due_at is not None and alert.due_at <= now:
        queue.wake("notifications")
    return _outcome(case, decision, reason)


def _told(case: LockedAlert, sent: Sequence[Message]) -> Outcome:
    case.reschedule()
    code = case.alert.undelivered_code
    if code is not None:
        return _outcome(case, "undelivered", code, sent)
    if case.alert.silenced_until is not None:
        return _outcome(case, "silenced", "silence")
    if case.reach.missed or case.reach.doubtful:
        return _outcome(case, "partial", case.reach.code or case.reach.doubtful, sent)
    return _outcome(case, "sent", None, sent)


def _kept(case: LockedAlert, joined: int) -> tuple[str, str | None]:
    """Why it makes no sound now."""
    alert = case.alert
    if alert.silenced_until is not None:
        return "silenced", "silence"
    if alert.state != "firing":
        return "counted", alert.state
    if joined or alert.notify_at is not None:
        return "grouped", "group_wait" if alert.first_notified_at is None else "group_interval"
    return "counted", "throttled"


def _find(group_key: bytes, group: Group) -> tuple[LockedAlert | None, str]:
    """The open alert of the group, or the one that was resolved so lately that it is the same trouble still."""
    locked_alert.lock_group(group_key)
    wanted = {one.key for one in group.reports}
    query = select(Alert).where(Alert.group_key == group_key).order_by(Alert.id.desc()).limit(1)
    locked = query.with_for_update().execution_options(populate_existing=True)
    alert = db.session.scalars(locked.where(Alert.resolved_at.is_(None))).one_or_none()
    if alert is not None:
        case = locked_alert.of(alert)
        # How large a group is that its sender made is for the sender to say.
        bounded = group.key is None and len(case.items) >= MAX_ITEMS
        full = bounded and all(item.key not in wanted for item in case.items)
        return case, "full" if full else "open"
    last = db.session.scalars(locked).one_or_none()
    if last is None or not _recent(last, clock.now()):
        return None, "opened"
    case = locked_alert.of(last)
    return (case, "reopened") if any(item.key in wanted for item in case.items) else (None, "opened")


def _recent(alert: Alert, now: datetime) -> bool:
    throttle = timedelta(seconds=config.get().telegram_alert_throttle_seconds)
    return alert.notified_at is not None and now - alert.notified_at < throttle


def _open(group: Group, key: bytes, policy: AlertPolicy | None) -> LockedAlert:
    first, now = group.reports[0], clock.now()
    grouped = group.key is None and policy is not None and any(first.labels.get(name) for name in policy.group_by)
    shared = {name: first.labels.get(name, "") for name in policy.group_by} if policy and grouped else {}
    title = group.title or (", ".join(value for value in shared.values() if value) if grouped else first.title)
    alert = Alert(
        workspace_id=locked_alert.workspace_id(),
        group_key=key,
        source=group.source,
        bot_name=group.bot_name,
        policy_id=policy.id if policy else None,
        severity=first.severity,
        title=title,
        labels=dict(group.labels or {}) or shared or dict(first.labels),
        links=[dict(link) for link in group.links],
        attachment=dict(group.attachment) if group.attachment else None,
        opened_at=now,
        started_at=min((one.started_at for one in group.reports if one.firing and one.started_at), default=None),
        last_seen_at=now,
        notifications=0,
        parts=1,
        more=0,
        state="firing",
    )
    alert.chat_ids = ",".join(group.chat_ids) or None
    db.session.add(alert)
    db.session.flush()
    return LockedAlert(alert, [], policy)


def _add(case: LockedAlert, one: Report, now: datetime) -> AlertItem:
    item = AlertItem(
        workspace_id=case.alert.workspace_id,
        alert_id=case.alert.id,
        key=one.key,
        severity=one.severity,
        title=one.title,
        body=one.body,
        labels=dict(one.labels),
        links=[dict(link) for link in one.links],
        count=1,
        first_seen_at=now,
        started_at=one.started_at,
        last_seen_at=now,
    )
    db.session.add(item)
    case.items.append(item)
    return item


def _repeat(item: AlertItem, one: Report, now: datetime) -> None:
    item.count += 1
    if item.resolved_at is not None or item.started_at is None:
        item.started_at = one.started_at
    item.ended_at = None
    item.last_seen_at, item.resolved_at = now, None
    item.severity, item.title, item.body = one.severity, one.title, one.body
    item.labels, item.links = dict(one.labels), [dict(link) for link in one.links]


def _end(item: AlertItem | None, one: Report, now: datetime) -> int:
    if item is None or item.resolved_at is not None:
        return 0
    item.resolved_at, item.ended_at = now, one.ended_at
    item.silenced_until = item.silence_id = None
    return 1


def _outcome(case: LockedAlert, decision: str, reason: str | None, sent: Sequence[Message] = ()) -> Outcome:
    alert = case.alert
    count = sum(item.count for item in case.items)
    return Outcome(decision, reason, alert.id, alert.level, tuple(message.id for message in sent), count)
