"""Complete labels: silences, previews, filters, matchers and policies all see the same ones."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import AlertEvent
from backend.services import alerts
from backend.services.alerts import Attribution, queries
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.rules import policies, silence_preview, silences
from tests.services.alerts.conftest import BY, run_timers
from tests.support import factories

SENDER = Attribution("alertmanager", "token:1")


def firing(*several: dict[str, str], **fields: Any) -> dict[str, Any]:
    """A body with alerts of these labels."""
    listed = [
        {"status": "firing", "labels": labels, "annotations": {}, "fingerprint": repr(sorted(labels.items()))}
        for labels in several
    ]
    return {"receiver": "team", "status": "firing", "alerts": listed, "groupKey": "{}:{x}", "groupLabels": {}} | fields


@pytest.fixture
def receive(room):
    def take(body: dict[str, Any], source: str = "alertmanager") -> Any:
        outcome = alerts.receive(source, body, SENDER)
        db.session.commit()
        return outcome

    return take


def matcher(label: str, value: str, op: str = "=") -> list[dict[str, str]]:
    return [{"label": label, "op": op, "value": value}]


def hush(matchers: list[dict[str, str]]) -> None:
    from datetime import timedelta

    now = clock.now()
    silences.make(BY, matchers, now, now + timedelta(hours=1), comment=None)
    db.session.commit()


CONTAINER = {"alertname": "OutOfMemory", "cluster": "blue", "container": "api", "pod": "api-1"}


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
def test_the_button_silences_a_group_of_alertname_cluster_and_container(room, receive, source):
    group = {name: CONTAINER[name] for name in ("alertname", "cluster", "container")}
    receive(firing(CONTAINER, CONTAINER | {"pod": "api-2"}, groupLabels=group), source)
    actions.silence(room.alert().id, BY)
    db.session.commit()
    assert room.alert().silenced_until is not None
    clock.move(3600)
    third = firing(CONTAINER | {"pod": "api-3"}, groupLabels=group)
    assert receive(third, source).decision == "silenced"
    other = firing(CONTAINER | {"cluster": "green"}, groupLabels=group | {"cluster": "green"}, groupKey="other")
    assert receive(other, source).decision == "sent"


@pytest.mark.parametrize(
    ("matchers", "silent"),
    [
        (matcher("alertname", "OutOfMemory"), True),
        (matcher("alertname", "Other"), False),
        (matcher("alertname", "Out.*", "=~"), True),
        (matcher("alertname", "OutOfMemory", "!=") + matcher("cluster", "blue"), False),
        (matcher("alertname", "Other", "!=") + matcher("cluster", "blue"), True),
        (matcher("alertname", "Out.*", "!~") + matcher("cluster", "blue"), False),
        (matcher("__alert_rule_uid__", "u1"), True),
        (matcher("severity", "critical"), True),
        (matcher("severity", "page"), True),
        (matcher("severity", "critical", "!=") + matcher("cluster", "blue"), False),
        (matcher("severity", "page", "!=") + matcher("cluster", "blue"), False),
        (matcher("severity", "page|fatal", "=~"), True),
        (matcher("severity", "warning"), False),
    ],
    ids=str,
)
def test_silence_and_preview_see_the_same_complete_labels(room, receive, matchers, silent):
    body = firing(CONTAINER | {"__alert_rule_uid__": "u1", "severity": "page"})
    receive(body)
    assert silence_preview.preview(matchers).item_count == silent
    hush(matchers)
    run_timers()
    assert (room.alert().silenced_until is not None) == silent
    clock.move(120)
    assert receive(body).decision == ("silenced" if silent else "sent")


@pytest.mark.parametrize(
    ("label", "value", "found"),
    [
        ("alertname", "OutOfMemory", True),
        ("alertname", "Other", False),
        ("__alert_rule_uid__", "u1", True),
        ("severity", "page", True),
        ("severity", "critical", True),
        ("severity", "warning", False),
        ("title", "OutOfMemory", True),
        ("bot_name", "alerts", True),
        ("bot_name", "ops", False),
        ("absent", "", True),
        ("cluster", "", False),
    ],
)
def test_the_filter_by_label_sees_what_a_matcher_sees(room, receive, label, value, found):
    receive(firing(CONTAINER | {"__alert_rule_uid__": "u1", "severity": "page"}))
    listed, _ = queries.listing(labels=[(label, value)])
    assert len(listed) == found


@pytest.mark.parametrize("number", [15, 16, 20, 40, 90, 120])
def test_two_alerts_that_differ_in_their_last_label_are_silenced_apart(room, receive, number):
    labels = {f"label_{at:03}": "same" for at in range(number)}
    last = f"label_{number - 1:03}"
    receive(firing(labels, groupKey="one"))
    receive(firing(labels | {last: "other"}, groupKey="two"))
    one, two = room.alerts()
    actions.silence(one.id, BY)
    db.session.commit()
    run_timers()
    one, two = room.alerts()
    assert one.silenced_until is not None
    assert two.silenced_until is None


def test_long_values_that_differ_at_their_end_stay_two(room, receive):
    receive(firing({"path": "x" * 9000 + "1"}, groupKey="one"))
    receive(firing({"path": "x" * 9000 + "2"}, groupKey="two"))
    one, two = room.alerts()
    actions.silence(one.id, BY)
    db.session.commit()
    run_timers()
    one, two = room.alerts()
    assert one.silenced_until is not None
    assert two.silenced_until is None


def test_what_an_alert_of_the_api_says_now_is_what_its_silence_is_made_of(room):
    room.raise_("Disk full", throttle_key="disk", labels={"host": "db-1"})
    room.raise_("Disk full", throttle_key="disk", labels={"host": "db-2", "mount": "/var"})
    assert room.alert().labels == {"host": "db-2", "mount": "/var"}
    assert room.items()[0].labels == {"host": "db-2", "mount": "/var"}
    actions.silence(room.alert().id, BY)
    assert room.alert().silenced_until is not None


@pytest.mark.parametrize("labels", [{"bot_name": "mine"}, {"title": "mine"}, {"alert_group": "mine"}, {}], ids=str)
def test_a_label_that_is_called_like_something_else_is_no_trap(room, labels):
    room.raise_("Disk full", labels=labels)
    actions.silence(room.alert().id, BY)
    assert room.alert().silenced_until is not None


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_group_is_made_of_its_silence_hushes_it_and_not_another(room, receive, seed):
    dice = random.Random(seed)
    names = ["alertname", "cluster", "pod", "severity", "title", "bot_name", "__name__", "이름", "x" * 300]

    def labels() -> dict[str, str]:
        return {name: dice.choice(["a", "b", "c", "page", ""]) for name in names if dice.random() < 0.6}

    several = [labels() for _ in range(dice.randint(1, 6))]
    shared = {name: several[0][name] for name in names if dice.random() < 0.3 and name in several[0]}
    receive(firing(*several, groupLabels=shared, groupKey="mine"))
    receive(firing({"alertname": "elsewhere", "pod": "z"}, groupKey="other"))
    mine, other = room.alerts()
    actions.silence(mine.id, BY)
    db.session.commit()
    run_timers()
    mine, other = room.alerts()
    assert mine.silenced_until is not None
    assert other.silenced_until is None


def policy(name: str, position: int, *matchers: list[dict[str, str]], **fields: Any) -> int:
    rows = [row for rows in matchers for row in rows]
    made = policies.create(factories.by("user:1"), {"name": name, "position": position, "matchers": rows} | fields)
    db.session.commit()
    return made.id


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_policy_is_chosen_by_the_worst_of_a_group(room, receive, order):
    grave = policy("grave", 0, matcher("severity", "critical"))
    both = [{"pod": "a", "severity": "warning"}, {"pod": "b", "severity": "page"}]
    receive(firing(*(both[at] for at in order)))
    assert room.alert().policy_id == grave


def test_a_policy_of_one_member_is_not_the_groups(room, receive):
    policy("one host", 0, matcher("host", "db-1"))
    everything = policy("everything", 1)
    receive(firing({"host": "db-1"}, {"host": "web-1"}))
    assert room.alert().policy_id == everything


def test_a_policy_of_every_member_is_the_groups_though_the_label_differs(room, receive):
    databases = policy("databases", 0, matcher("host", "db-.*", "=~"))
    policy("everything", 1)
    receive(firing({"host": "db-1"}))
    receive(firing({"host": "db-1"}, {"host": "db-2"}))
    assert room.alert().policy_id == databases


def test_a_policy_for_what_is_not_production_does_not_take_production(room, receive):
    policy("not production", 0, matcher("env", "prod", "!="))
    receive(firing({"env": "prod"}, {"env": "dev"}))
    assert room.alert().policy_id is None


def test_the_policy_is_chosen_again_when_a_worse_alert_joins_and_escalates_by_it(room, receive, ada, sent):
    policy("grave", 0, matcher("severity", "critical"), escalate_after=60, escalate_user_ids=[ada.id])
    receive(firing({"pod": "a", "severity": "warning"}))
    assert room.alert().policy_id is None
    sent(room.messages()[0])
    clock.move(300)
    receive(firing({"pod": "a", "severity": "warning"}, {"pod": "b", "severity": "critical"}))
    assert room.alert().policy_id is not None
    assert "policy_changed" in room.trace()
    run_timers()
    assert room.alert().escalated_at is not None


def test_the_policy_is_chosen_again_when_what_fires_gets_worse(room):
    grave = policy("grave", 0, matcher("severity", "critical"))
    room.raise_("Disk full", throttle_key="disk", severity="warning")
    assert room.alert().policy_id is None
    room.raise_("Disk full", throttle_key="disk", severity="critical")
    assert room.alert().policy_id == grave


def test_a_group_that_a_policy_made_keeps_it_when_more_joins(room):
    databases = policy("databases", 0, matcher("host", "db-.*", "=~"), group_by=["service"], group_wait=0)
    policy("everything", 1)
    for host in ("db-1", "db-2", "db-3"):
        room.raise_(f"{host} is down", labels={"service": "db", "host": host})
    assert room.alert().policy_id == databases
    assert len(room.items()) == 3


def test_resolving_by_the_key_alone_ends_it_in_its_group(room):
    policy("grouped", 0, group_by=["service"], group_wait=0)
    room.raise_("Disk full", throttle_key="disk", labels={"service": "db"}, severity="critical")
    assert room.raise_("Disk full", throttle_key="disk", status="resolved").decision == "resolved"
    assert room.alert().state == "resolved"


def test_the_trace_says_which_policy(room):
    grave = policy("grave", 0, matcher("severity", "error"))
    room.raise_("Disk full", throttle_key="disk")
    room.raise_("Disk full", throttle_key="disk", severity="high")
    event = db.session.scalars(select(AlertEvent).where(AlertEvent.what == "policy_changed")).one()
    assert event.detail == {"policy": grave}
