"""When: what a report does to an alert, and what happens to it next by itself. Pure functions with tables of cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from backend.services.alerts.rules.policy_rules import Rules

State = Literal["firing", "acknowledged", "snoozed", "resolved"]
What = Literal["notify", "repeat", "escalate", "wake", "unsilence", "unacknowledge", "resolve", "edit"]

EDIT_SECONDS: Final = 3.0
"""Between two edits of one alert, for each part of its messages: an edit of many parts takes the chat long."""


@dataclass(frozen=True, slots=True)
class Facts:
    """An alert as the decisions see it."""

    state: State
    last_seen_at: datetime
    notified_at: datetime | None = None
    first_notified_at: datetime | None = None
    notify_at: datetime | None = None
    edit_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    silenced_until: datetime | None = None
    escalated_at: datetime | None = None
    escalates: bool = True
    """Whether its policy names anybody to escalate to."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens by itself: what, when (UTC), and the reason as a code."""

    what: What
    at: datetime
    reason: str


def upcoming(facts: Facts, rules: Rules) -> list[Step]:
    """Everything that will happen if nobody does anything, the earliest first. Empty: nothing before somebody acts."""
    steps = [_at("edit", facts.edit_at, "changed")]
    if facts.state != "resolved":
        steps.append(_after("resolve", facts.last_seen_at, rules.quiet_after, "nothing_heard"))
    if facts.state == "snoozed":
        steps.append(_at("wake", facts.snoozed_until, "snooze_ends"))
    elif facts.state == "acknowledged":
        steps.append(_after("unacknowledge", facts.acknowledged_at, rules.acknowledged_for, "acknowledged_long_ago"))
    elif facts.state == "firing" and facts.silenced_until is not None:
        steps.append(_at("unsilence", facts.silenced_until, "silence_ends"))
    elif facts.state == "firing":
        waits = "group_wait" if facts.first_notified_at is None else "group_interval"
        steps.append(_at("notify", facts.notify_at, waits))
        if facts.notify_at is None:
            steps.append(_after("repeat", facts.notified_at, rules.repeat_interval, "not_acknowledged"))
        if facts.escalates and facts.escalated_at is None:
            steps.append(_after("escalate", facts.first_notified_at, rules.escalate_after, "not_acknowledged"))
    order = {"notify": 0, "escalate": 1, "repeat": 2, "edit": 4}
    known = [step for step in steps if step is not None]
    return sorted(known, key=lambda step: (step.at, order.get(step.what, 3)))


def due_at(facts: Facts, rules: Rules) -> datetime | None:
    """When the timers have something to do next; None when nothing happens by itself."""
    steps = upcoming(facts, rules)
    return steps[0].at if steps else None


Verdict = Literal["opened", "reopened", "joined", "again", "counted"]


def on_report(
    *,
    known: bool,
    open_alert: bool,
    state: State | None,
    notified_at: datetime | None,
    waiting: bool,
    silenced: bool,
    now: datetime,
    throttle: int,
    repeat_interval: int | None,
) -> Verdict:
    """What a report means.

    `known`: its key is among what fires in the alert; `waiting`: what is new in the alert has not been told yet.
    Within `throttle` seconds of the last sound a known key is only counted, and one that was resolved meanwhile fires
    again in the same message. Later it makes a sound again, unless somebody has it in hand, it is silenced, or the
    policy repeats by the clock.
    """
    recent = notified_at is not None and now - notified_at < timedelta(seconds=throttle)
    if not open_alert:
        return "reopened" if recent and known else "opened"
    if not known:
        return "joined"
    if recent or waiting or silenced or state != "firing" or repeat_interval is not None:
        return "counted"
    return "again"


def new_at(
    *, first_notified_at: datetime | None, notified_at: datetime | None, rules: Rules, now: datetime
) -> datetime:
    """When something new in an alert is told: after the group's wait, later at the group's interval."""
    if not rules.group_by:
        return now
    if first_notified_at is None or notified_at is None:
        return now + timedelta(seconds=rules.group_wait)
    return max(now, notified_at + timedelta(seconds=rules.group_interval))


def edit_due(edited_at: datetime | None, parts: int, now: datetime) -> datetime:
    """When an edit may be made: so long after the last that its chats can follow."""
    if edited_at is None:
        return now
    return max(now, edited_at + timedelta(seconds=EDIT_SECONDS * max(parts, 1)))


def _at(what: What, at: datetime | None, reason: str) -> Step | None:
    return None if at is None else Step(what, at, reason)


def _after(what: What, since: datetime | None, seconds: int | None, reason: str) -> Step | None:
    return None if since is None or seconds is None else Step(what, since + timedelta(seconds=seconds), reason)
