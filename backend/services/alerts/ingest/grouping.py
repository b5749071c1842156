"""Groups of reports: each opens an alert, or changes the one that is open, in one transaction.

A repetition takes one statement (`fast_count`). Everything else goes through here, one group after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select

from backend.core import clock, config, queue
from backend.core.database import db, workspace_id_in_scope
from backend.models import Alert, AlertItem, AlertPolicy, Message
from backend.services.alerts import severities
from backend.services.alerts.ingest.reports import Group, Outcome, Report
from backend.services.alerts.lifecycle import endings
from backend.services.alerts.messages import notify, publish
from backend.services.alerts.rules import matchers, policies
from backend.services.alerts.rules.matchers import VisibleLabels
from backend.services.alerts.state import keys, locked_alert, timing
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

MAX_ITEMS: Final = 1_000
"""Distinct things that single reports bring into one alert; what comes beyond goes into a further one."""

Origin = Literal["opened", "open", "reopened", "full"]
"""Whether the group's alert is new, open, open again, or open and as large as it may be."""


@dataclass(slots=True)
class Changes:
    """What a group's reports did to the items of its alert."""

    joined: int = 0
    ended: int = 0
    repeated: int = 0
    different: int = 0
    """Repeated with other labels or another severity, or firing again."""


def report(group: Group, by: Attribution) -> Outcome:
    """Takes the reports of one group, in the workspace in scope and the caller's transaction.

    `ignored`: it only said that something is over that was not open.
    """
    ordered = policies.listing()
    policy = policies.first_matching(ordered, _visible_labels(group))
    key = _key_of(group, policy)
    case, origin = _find(key, group)
    while case is not None and origin == "full":
        key = keys.continued(key, case.alert.id)
        case, origin = _find(key, group)
    if origin != "open" and not any(reported.firing for reported in group.reports):
        return Outcome("ignored", "not_open", *(() if case is None else (case.alert.id, case.alert.level)))
    if case is None:
        case = _open(group, key, policy)
        case.note("opened", by)
    elif origin == "reopened":
        endings.reopen(case, by)
    if origin != "open":
        audit.record(by, f"alert.{origin}", f"alert:{case.alert.id}", source=group.source)
    changes = _take(case, group, origin)
    if origin != "opened" and (changes.joined or changes.different) and case.firing:
        _choose_policy(case, ordered, by)
    case.apply_silences()
    if case.firing:
        return _decide(case, changes, origin, by)
    messages = endings.resolve(case, by, "told")
    audit.record(by, "alert.resolved", f"alert:{case.alert.id}", source=group.source)
    return _outcome(case, "resolved", None, messages)


def _visible_labels(group: Group) -> list[VisibleLabels]:
    """The labels of what is reported to fire, each with the worst severity: what a policy is chosen by."""
    reports = [report for report in group.reports if report.firing] or group.reports
    worst = severities.worst(report.severity for report in reports)
    return [
        matchers.visible(report.labels, severity=worst, title=group.title or report.title, bot_name=group.bot_name)
        for report in reports
    ]


def _key_of(group: Group, policy: AlertPolicy | None) -> bytes:
    """The key of the alert that the group goes to.

    A group that its sender does not name goes to the open alert that has one of its things already.
    """
    if group.follows:
        known = db.session.scalars(
            select(Alert.group_key)
            .join(AlertItem, AlertItem.alert_id == Alert.id)
            .where(AlertItem.key.in_([report.key for report in group.reports]), Alert.resolved_at.is_(None))
            .order_by(Alert.id)
            .limit(1)
        ).one_or_none()
        if known is not None:
            return known
    if group.key is not None:
        return group.key
    first, group_by = group.reports[0], policy.group_by if policy else ()
    return keys.group_of(first.key, group.bot_name, policy.id if policy else None, group_by, first.labels)


def _find(group_key: bytes, group: Group) -> tuple[LockedAlert | None, Origin]:
    """The open alert of the group, or the one that was resolved so lately that it is the same trouble still."""
    locked_alert.lock_group(group_key)
    wanted = {report.key for report in group.reports}
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
    if last is None or not _is_recent(last.notified_at, clock.now()):
        return None, "opened"
    case = locked_alert.of(last)
    return (case, "reopened") if any(item.key in wanted for item in case.items) else (None, "opened")


def _open(group: Group, key: bytes, policy: AlertPolicy | None) -> LockedAlert:
    first, now = group.reports[0], clock.now()
    grouped = group.key is None and policy is not None and any(first.labels.get(name) for name in policy.group_by)
    shared = {name: first.labels.get(name, "") for name in policy.group_by} if policy and grouped else {}
    title = group.title or (", ".join(value for value in shared.values() if value) if grouped else first.title)
    alert = Alert(
        workspace_id=workspace_id_in_scope(),
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
        started_at=min(
            (report.started_at for report in group.reports if report.firing and report.started_at), default=None
        ),
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


def _take(case: LockedAlert, group: Group, origin: Origin) -> Changes:
    """Brings the alert's items in step with the reports."""
    alert, now, changes = case.alert, clock.now(), Changes()
    known = {item.key: item for item in case.items}
    for report in group.reports:
        item = known.get(report.key)
        if not report.firing:
            changes.ended += _end(item, report, now)
        elif item is None:
            known[report.key] = _add(case, report, now)
            changes.joined += 1
        else:
            ended = item.resolved_at is not None
            changes.different += ended or item.severity != report.severity or item.labels != report.labels
            changes.joined += ended and origin != "reopened" and not _is_recent(alert.notified_at, now)
            changes.repeated += 1
            _repeat(item, report, now)
    alert.more, alert.last_seen_at = group.more, now
    case.update_severity()
    case.update_labels(group.labels or {})
    return changes


def _add(case: LockedAlert, report: Report, now: datetime) -> AlertItem:
    item = AlertItem(
        workspace_id=case.alert.workspace_id,
        alert_id=case.alert.id,
        key=report.key,
        severity=report.severity,
        title=report.title,
        body=report.body,
        labels=dict(report.labels),
        links=[dict(link) for link in report.links],
        count=1,
        first_seen_at=now,
        started_at=report.started_at,
        last_seen_at=now,
    )
    db.session.add(item)
    case.items.append(item)
    return item


def _repeat(item: AlertItem, report: Report, now: datetime) -> None:
    item.count += 1
    if item.resolved_at is not None or item.started_at is None:
        item.started_at = report.started_at
    item.ended_at = None
    item.last_seen_at, item.resolved_at = now, None
    item.severity, item.title, item.body = report.severity, report.title, report.body
    item.labels, item.links = dict(report.labels), [dict(link) for link in report.links]


def _end(item: AlertItem | None, report: Report, now: datetime) -> int:
    if item is None or item.resolved_at is not None:
        return 0
    item.resolved_at, item.ended_at = now, report.ended_at
    item.silenced_until = item.silence_id = None
    return 1


def _choose_policy(case: LockedAlert, ordered: Sequence[AlertPolicy], by: Attribution) -> None:
    """Chooses the policy by all that fires in the alert now. Another one escalates again: to others, perhaps sooner."""
    alert = case.alert
    policy = policies.first_matching(ordered, case.seen_by_policies())
    if (policy.id if policy else None) == alert.policy_id:
        return
    case.policy, alert.policy_id, alert.escalated_at = policy, policy.id if policy else None, None
    case.note("policy_changed", by, policy=alert.policy_id)


def _decide(case: LockedAlert, changes: Changes, origin: Origin, by: Attribution) -> Outcome:
    """What follows for the alert from what its items went through: a sound now, later, or none."""
    alert, now = case.alert, clock.now()
    if changes.joined:
        _expect_sound(case, changes.joined, origin, by, now)
    verdict = timing.on_report(
        known=not changes.joined,
        open_alert=origin != "reopened",
        state=alert.state,  # type: ignore[arg-type]  # a text column holding exactly these
        notified_at=alert.notified_at,
        waiting=alert.notify_at is not None,
        silenced=alert.silenced_until is not None,
        now=now,
        throttle=config.get().telegram_alert_throttle_seconds,
        repeat_interval=case.rules.repeat_interval,
    )
    case.request_edit()
    if origin == "reopened":
        publish.update_messages(case, news=True)
    if alert.state == "firing" and alert.silenced_until is None:
        if alert.notify_at is not None and alert.notify_at <= now:
            note = "joined" if alert.first_notified_at is not None else None
            return _outcome_of_sound(case, notify.notify(case, note))
        # A monitoring system that reports a change lists what has not changed as well; that is no repetition.
        if verdict == "again" and changes.repeated and not changes.ended:
            return _outcome_of_sound(case, notify.notify(case, "again"))
    outcome = _outcome(case, *_quiet_reason(case, changes.joined))
    if alert.due_at is not None and alert.due_at <= now:
        queue.wake("notifications")
    return outcome


def _expect_sound(case: LockedAlert, joined: int, origin: Origin, by: Attribution, now: datetime) -> None:
    """Notes when what has joined is told, and takes back an acknowledgement, which was not of this."""
    alert = case.alert
    if origin != "opened":
        case.note("joined", by, count=joined)
        audit.record(by, "alert.joined", f"alert:{alert.id}", count=joined)
    if alert.state == "acknowledged":
        endings.reset_to_firing(case)
    wanted = timing.new_at(
        first_notified_at=alert.first_notified_at, notified_at=alert.notified_at, rules=case.rules, now=now
    )
    alert.notify_at = min(wanted, alert.notify_at) if alert.notify_at else wanted


def _outcome_of_sound(case: LockedAlert, messages: Sequence[Message]) -> Outcome:
    code = case.alert.undelivered_code
    if code is not None:
        return _outcome(case, "undelivered", code, messages)
    if case.alert.silenced_until is not None:
        return _outcome(case, "silenced", "silence")
    if case.reach.missed or case.reach.doubtful:
        return _outcome(case, "partial", case.reach.code or case.reach.doubtful, messages)
    return _outcome(case, "sent", None, messages)


def _quiet_reason(case: LockedAlert, joined: int) -> tuple[str, str | None]:
    """The decision and its reason where it makes no sound now."""
    alert = case.alert
    if alert.silenced_until is not None:
        return "silenced", "silence"
    if alert.state != "firing":
        return "counted", alert.state
    if joined or alert.notify_at is not None:
        return "grouped", "group_wait" if alert.first_notified_at is None else "group_interval"
    return "counted", "throttled"


def _outcome(case: LockedAlert, decision: str, reason: str | None, messages: Sequence[Message] = ()) -> Outcome:
    """Notes what happens to the alert next, stores everything, and says what was done."""
    case.reschedule()
    alert = case.alert
    count = sum(item.count for item in case.items)
    return Outcome(decision, reason, alert.id, alert.level, tuple(message.id for message in messages), count)


def _is_recent(notified_at: datetime | None, now: datetime) -> bool:
    throttle = timedelta(seconds=config.get().telegram_alert_throttle_seconds)
    return notified_at is not None and now - notified_at < throttle
