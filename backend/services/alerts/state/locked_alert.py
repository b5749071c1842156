"""An alert with its items and its policy, locked, as one piece of work sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Alert, AlertItem, AlertPolicy, AlertSilence
from backend.services.alerts import history, severities
from backend.services.alerts import labels as labeling
from backend.services.alerts.rules import faults, matchers, policies
from backend.services.alerts.rules.item_labels import seen_labels
from backend.services.alerts.rules.matchers import Silence, VisibleLabels
from backend.services.alerts.rules.policy_rules import Rules
from backend.services.alerts.state import keys, reach, timing
from backend.services.alerts.state.reach import NOWHERE, Reach
from backend.services.alerts.state.timing import Facts, State
from backend.services.alerts.state.view import ItemView, View
from backend.services.auth.attribution import SYSTEM, Attribution

GROUP_LOCKS: Final = 0x414C5254
"""The class of this feature's advisory locks."""
_MONITORING: Final = ("alertmanager", "grafana")
"""Sources that group by themselves."""
_MAX_LINKS: Final = 8


@dataclass(slots=True)
class LockedAlert:
    """The rows of one alert. Its own row is locked until the transaction ends; items change under that lock only."""

    alert: Alert
    items: list[AlertItem]
    policy: AlertPolicy | None
    reach: Reach = NOWHERE
    """In how many of its chats it arrives, as last read."""

    @property
    def rules(self) -> Rules:
        """The policy's, or the defaults."""
        return policies.rules_of(self.policy, self.alert.source)

    @property
    def locale(self) -> str:
        """The language of the alert's chats."""
        return self.policy.locale if self.policy is not None else "en"

    @property
    def firing(self) -> list[AlertItem]:
        """What is still wrong."""
        return [item for item in self.items if item.resolved_at is None]

    @property
    def alone(self) -> bool:
        """Whether it is about one thing only, and nothing can join it."""
        return len(self.items) == 1 and self.alert.group_key == keys.alone(self.items[0].key)

    @property
    def chat_ids(self) -> list[str]:
        """The chats that the alert's caller named."""
        return [chat_id for chat_id in (self.alert.chat_ids or "").split(",") if chat_id]

    def facts(self) -> Facts:
        """The alert as the decisions see it."""
        alert = self.alert
        return Facts(
            state=cast(State, alert.state),
            last_seen_at=alert.last_seen_at,
            notified_at=alert.notified_at,
            first_notified_at=alert.first_notified_at,
            notify_at=alert.notify_at,
            edit_at=alert.edit_at,
            acknowledged_at=alert.acknowledged_at,
            snoozed_until=alert.snoozed_until,
            silenced_until=alert.silenced_until,
            escalated_at=alert.escalated_at,
            escalates=policies.escalates(self.policy),
        )

    def view(self, *, note: str | None = None, code: str | None = None) -> View:
        """The alert as its readers see it."""
        alert, items = self.alert, self.items
        return View(
            id=alert.id,
            title=alert.title,
            severity=alert.severity,
            state=alert.state,
            labels=alert.labels,
            items=[_item_view(item) for item in items],
            opened_at=alert.started_at or alert.opened_at,
            grouped=len(items) > 1,
            by_name=alert.by_name,
            since=(alert.ended_at or alert.resolved_at) if alert.state == "resolved" else alert.acknowledged_at,
            snoozed_until=alert.snoozed_until,
            silenced_until=alert.silenced_until,
            resolved_code=alert.resolved_code,
            more=alert.more,
            links=[*alert.links, *(items[0].links if len(items) == 1 else [])][:_MAX_LINKS],
            note=note,
            bot_name=alert.bot_name,
            code=code,
            reach=self.reach,
            is_monitored=alert.source in _MONITORING,
        )

    def refresh_reach(self) -> Reach:
        """Reads in how many of its chats it arrives now."""
        self.reach = reach.of([self.alert.id]).get(self.alert.id, NOWHERE)
        return self.reach

    def note(self, what: str, by: Attribution = SYSTEM, **detail: Any) -> None:
        """Adds to the alert's trace; see `history.note`."""
        history.note(self.alert.id, what, by, **detail)

    def apply_silences(self) -> None:
        """Brings items and alert in step with the silences in force."""
        now, silences, meter = clock.now(), in_force(), faults.meter()
        for item in self.firing:
            labels = seen_labels(item, self.alert.bot_name, self.alert.group_key)
            silence = matchers.silencing(silences, labels, now, meter)
            if silence is not None and item.silence_id != silence.id:
                count_silenced(silence.id)
            item.silence_id = silence.id if silence else None
            item.silenced_until = silence.ends_at if silence else None
        ends = [item.silenced_until for item in self.firing]
        self.alert.silenced_until = min(end for end in ends if end) if ends and all(ends) else None
        faults.switch_off(meter)

    def catch_up(self) -> None:
        """Takes over what was only counted at the items."""
        self.alert.last_seen_at = max([self.alert.last_seen_at, *(item.last_seen_at for item in self.items)])
        self.update_severity()

    def update_severity(self) -> None:
        """The alert is as bad as the worst that fires in it."""
        self.alert.severity = severities.worst(item.severity for item in (self.firing or self.items))
        if self.alone:
            self.alert.title, self.alert.labels = self.items[0].title, self.items[0].labels

    def update_labels(self, given: Mapping[str, str]) -> None:
        """Brings the labels up to date: what the sender grouped by, else what all that fires has in common."""
        alert = self.alert
        if alert.source in _MONITORING:
            alert.labels = dict(given) or labeling.common(item.labels for item in self.firing or self.items)
        began = [
            began_at
            for began_at in (alert.started_at, *(item.started_at for item in self.items))
            if began_at is not None
        ]
        alert.started_at = min(began, default=None)

    def seen_by_policies(self) -> list[VisibleLabels]:
        """The labels of all that fires, each with the worst severity."""
        alert = self.alert
        grouped = alert.source in _MONITORING
        return [
            matchers.visible(
                item.labels,
                severity=alert.severity,
                title=alert.title if grouped else item.title,
                bot_name=alert.bot_name,
            )
            for item in self.firing
        ]

    def mark_notified(self) -> None:
        """Notes that it made a sound just now, which its messages show as it is."""
        alert, now = self.alert, clock.now()
        alert.notifications += 1
        alert.notified_at = alert.edited_at = now
        alert.first_notified_at = alert.first_notified_at or now
        alert.notify_at = alert.edit_at = None

    def request_edit(self) -> None:
        """Has the messages brought up to date soon; an edit that is wanted already stands."""
        if self.alert.edit_at is None and self.alert.notifications:
            self.alert.edit_at = timing.edit_due(self.alert.edited_at, self.alert.parts, clock.now())

    def reschedule(self) -> None:
        """Notes when something happens next by itself, and stores everything."""
        self.alert.due_at = timing.due_at(self.facts(), self.rules)
        db.session.flush()


def lock_group(group_key: bytes) -> None:
    """Keeps others from opening or closing alerts of this group until the transaction ends. Before any row's lock."""
    number = int.from_bytes(group_key[:4], "big", signed=True)
    db.session.execute(select(func.pg_advisory_xact_lock(GROUP_LOCKS, number)))


def by_id(alert_id: int) -> LockedAlert:
    """The alert of the workspace in scope, locked. Raises NotFound."""
    alert = db.session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if alert is None:
        raise NotFound("alert_not_found", "There is no such alert.")
    return of(alert)


def of(alert: Alert) -> LockedAlert:
    """The case of an alert that the caller has locked."""
    items = db.session.scalars(
        select(AlertItem)
        .where(AlertItem.alert_id == alert.id)
        .order_by(AlertItem.id)
        .execution_options(populate_existing=True)
    ).all()
    policy = db.session.get(AlertPolicy, alert.policy_id) if alert.policy_id else None
    case = LockedAlert(alert, list(items), policy)
    if items:
        case.catch_up()
    return case


def in_force() -> list[Silence]:
    """The silences of the workspace that hold now."""
    now = clock.now()
    rows = db.session.scalars(
        select(AlertSilence).where(
            AlertSilence.starts_at <= now, AlertSilence.ends_at > now, AlertSilence.disabled_code.is_(None)
        )
    ).all()
    return [Silence(row.id, matchers.read(row.matchers), row.starts_at, row.ends_at) for row in rows]


def count_silenced(silence_id: int) -> None:
    """Counts one more thing that it silences. For people only, so a silence that somebody holds is not waited for."""
    row = db.session.scalars(
        select(AlertSilence).where(AlertSilence.id == silence_id).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is not None:
        row.hushed += 1


def _item_view(item: AlertItem) -> ItemView:
    return ItemView(
        title=item.title,
        body=item.body,
        severity=item.severity,
        labels=item.labels,
        count=item.count,
        resolved=item.resolved_at is not None,
        silenced_until=item.silenced_until if item.resolved_at is None else None,
        url=next((link["url"] for link in item.links), None),
    )
