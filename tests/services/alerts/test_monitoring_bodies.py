"""What monitoring systems say of themselves: times, states, groups, names, measured values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.core import clock
from backend.core.database import db
from backend.services import alerts
from backend.services.alerts import Attribution
from backend.services.alerts.ingest import monitoring_fields, monitoring_webhooks
from backend.services.alerts.lifecycle import actions
from tests.services.alerts.conftest import BY
from tests.services.alerts.test_receivers import body
from tests.support import factories

SENDER = Attribution("alertmanager", "token:1")


@pytest.fixture
def receive(room):
    def take(given: dict[str, Any], source: str = "alertmanager") -> Any:
        outcome = alerts.receive(source, given, SENDER)
        db.session.commit()
        return outcome

    return take


def changed(name: str = "alertmanager/firing", **fields: Any) -> dict[str, Any]:
    """A body whose first alert is changed; None takes a field away."""
    given = body(name)
    first = given["alerts"][0] | fields
    given["alerts"][0] = {key: value for key, value in first.items() if value is not None}
    return given


def ago(**span: float) -> str:
    return (clock.now() - timedelta(**span)).isoformat().replace("+00:00", "Z")


def at(given: str) -> datetime:
    return datetime.fromisoformat(given)


# --- times ---------------------------------------------------------------------------------------------------------


def test_an_alert_began_when_its_source_says(room, receive):
    receive(changed(startsAt="2026-04-03T09:15:00.123456789+02:00"))
    assert "🕐 Since 2026-04-03 07:15 UTC" in room.texts()[0]
    assert room.alert().started_at == datetime(2026, 4, 3, 7, 15, 0, 123456, tzinfo=UTC)


def test_after_an_outage_both_ends_are_those_of_the_source(room, receive, sent):
    receive(changed(startsAt=ago(hours=5)))
    sent(room.messages()[0])
    clock.move(7200)
    ended = ago(hours=1)
    receive(changed("alertmanager/resolved", startsAt=ago(hours=7), endsAt=ended))
    assert room.alert().state == "resolved"
    assert room.alert().ended_at == at(ended)
    assert f"Resolved · {at(ended):%Y-%m-%d %H:%M} UTC" in room.texts()[-1]


@pytest.mark.parametrize(
    "given",
    [
        "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "tomorrow",
        "", 5, 1675688925.8, True, {"a": 1}, None, "2023-13-45T99:99:99Z", "0001-01-01T00:00:00+14:00", "20" * 5000,
    ],
    ids=lambda given: str(given)[:30],
)  # fmt: skip
def test_an_absurd_start_is_no_start(room, receive, given):
    receive(changed(startsAt=given))
    assert room.alert().started_at is None
    assert f"🕐 Since {room.alert().opened_at:%Y-%m-%d %H:%M} UTC" in room.texts()[0]


def test_a_start_a_little_ahead_of_our_clock_is_now(room, receive):
    before = clock.now()
    receive(changed(startsAt=ago(seconds=-90)))
    began = room.alert().started_at
    assert began is not None
    assert before <= began <= clock.now()


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "2000-01-02T00:00:00Z", "2999-01-01T00:00:00Z", "x", None])
def test_an_absurd_end_is_the_moment_we_were_told(room, receive, end):
    receive(changed(startsAt=ago(hours=1)))
    clock.move(30)
    before = clock.now()
    receive(changed("alertmanager/resolved", startsAt=ago(hours=1), endsAt=end))
    ended = room.alert().ended_at
    assert ended is not None
    assert before <= ended <= clock.now()


def test_a_group_began_with_its_first_and_ended_with_its_last(room, receive):
    both = body("alertmanager/group_truncated")
    begun, ended = [ago(hours=hours) for hours in (3, 5, 4)], [ago(minutes=minutes) for minutes in (9, 2, 6)]
    for alert, moment in zip(both["alerts"], begun, strict=True):
        alert |= {"startsAt": moment, "status": "firing"}
    receive(both)
    assert room.alert().started_at == at(begun[1])
    for alert, moment in zip(both["alerts"], ended, strict=True):
        alert |= {"endsAt": moment, "status": "resolved"}
    receive(both)
    assert room.alert().ended_at == at(ended[1])


def test_what_fires_again_in_its_group_began_anew(room, receive):
    both = body("alertmanager/group_truncated")
    receive(both)
    clock.move(600)
    began = ago(minutes=1)
    both["alerts"][0] |= {"status": "resolved", "endsAt": ago(minutes=5)}
    receive(both)
    both["alerts"][0] |= {"status": "firing", "startsAt": began, "endsAt": "0001-01-01T00:00:00Z"}
    receive(both)
    item = room.items()[0]
    assert (item.started_at, item.ended_at) == (at(began), None)


def test_a_person_resolves_now_whatever_was_said(room, receive):
    receive(changed(startsAt=ago(hours=1)))
    actions.apply(room.alert().id, "resolve", BY)
    assert room.alert().ended_at is None
    actions.apply(room.alert().id, "reopen", BY)
    assert room.items()[0].ended_at is None


# --- states --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [None, "", "  ", 5, {"state": "active"}, []], ids=str)
@pytest.mark.parametrize(
    "whole", [{"status": "resolved"}, {"status": "RESOLVED"}, {"status": None, "state": "ok"}], ids=str
)
def test_an_alert_without_a_status_has_the_bodys(room, receive, own, whole):
    receive(body("alertmanager/firing"))
    resolved = changed("alertmanager/resolved", status=own) | whole
    assert receive(resolved).decision == "resolved"


def test_a_resolved_body_without_statuses_opens_nothing(room, receive):
    assert receive(changed("alertmanager/resolved", status=None)).decision == "ignored"
    assert room.alerts() == []


@pytest.mark.parametrize(
    ("own", "whole", "end", "firing"),
    [
        ("firing", "resolved", "2020-01-01T00:00:00Z", True),
        ("resolved", "firing", None, False),
        ("Resolved", "firing", None, False),
        ("active", "resolved", None, True),
        (None, "firing", "0001-01-01T00:00:00Z", True),
        (None, "firing", "2020-01-01T00:00:00Z", False),
        (None, "firing", "2999-01-01T00:00:00Z", True),
        (None, None, None, True),
        (None, 5, None, True),
    ],
)
def test_whose_word_counts(own, whole, end, firing):
    now = datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert monitoring_fields.is_firing({"status": own, "endsAt": end}, {"status": whole}, now) is firing


# --- groups --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", [0, 7, -3, 2**63, 2**64 - 1, 10**30, 1.8446744073709552e19, "18446744073709551615", "{}:{}"], ids=str
)
def test_a_group_key_of_any_kind_holds_the_group_together(room, receive, key):
    one, two = changed(fingerprint="1"), changed(fingerprint="2")
    for given in (one, two):
        receive(given | {"groupKey": key})
    assert len(room.alerts()) == 1
    assert len(room.items()) == 2
    receive(one | {"groupKey": "another"})
    assert len(room.alerts()) == 2


def test_integers_that_are_one_apart_are_two_groups(room, receive):
    receive(changed() | {"groupKey": 2**64 - 1})
    receive(changed() | {"groupKey": 2**64 - 2})
    assert len(room.alerts()) == 2


@pytest.mark.parametrize("key", [None, "", True, [], {"a": 1}, float("nan")], ids=str)
def test_a_group_without_a_key_is_known_by_its_labels(room, receive, key):
    for fingerprint in ("2", "1"):
        receive(changed(fingerprint=fingerprint) | {"groupKey": key})
    assert len(room.alerts()) == 1
    receive(changed(fingerprint="3") | {"groupKey": key, "groupLabels": {"alertname": "Other"}})
    assert len(room.alerts()) == 2


def test_a_group_without_a_key_and_labels_is_where_its_members_are(room, receive):
    both = body("alertmanager/group_truncated") | {"groupKey": None, "groupLabels": None, "truncatedAlerts": 0}
    both["alerts"][2]["status"] = "firing"
    receive(both)
    fewer = both | {"alerts": both["alerts"][1:]}
    receive(fewer)
    more = both | {"alerts": [changed(fingerprint="0")["alerts"][0], *both["alerts"][2:]]}
    receive(more)
    assert len(room.alerts()) == 1
    assert len(room.items()) == 4


def test_a_large_group_of_a_sender_stays_one_alert(room, receive, monkeypatch):
    from backend.services.alerts.ingest import grouping

    monkeypatch.setattr(grouping, "MAX_ITEMS", 2)
    receive(body("alertmanager/group_truncated"))
    receive(changed(fingerprint="new"))
    assert len(room.alerts()) == 1


def test_more_alerts_than_are_listed_are_a_number_and_those_that_are_over_still_count(room, receive, monkeypatch):
    receive(changed(fingerprint="9"))
    monkeypatch.setattr(monitoring_webhooks, "MAX_ALERTS", 2)
    given = body("alertmanager/firing")
    one = given["alerts"][0]
    given["alerts"] = [one | {"fingerprint": str(number)} for number in range(5)] + [
        one | {"fingerprint": "9", "status": "resolved"}
    ]
    receive(given | {"truncatedAlerts": 4})
    assert room.alert().more == 7
    assert [item.resolved_at is not None for item in room.items()] == [True, False, False]


@pytest.mark.parametrize("labels", [None, {}, [], {"severity": None}], ids=str)
def test_alerts_without_labels_are_told_apart_by_what_they_say(room, receive, labels):
    given = changed(labels=labels, fingerprint=None)
    given["alerts"].append(given["alerts"][0] | {"annotations": {"summary": "Another thing"}})
    receive(given)
    assert len(room.items()) == 2


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names", "title"),
    [
        ({"alertname": "HighLoad"}, ["HighLoad"], "HighLoad"),
        ({"alertname": "HighLoad", "cluster": "blue"}, ["HighLoad"], "HighLoad · blue"),
        ({"cluster": "blue"}, ["HighLoad", "HighLoad"], "HighLoad · cluster=blue"),
        ({"cluster": "1"}, ["A", "HighLoad", "HighLoad"], "HighLoad +1 · cluster=1"),
        ({"cluster": "blue", "zone": "eu"}, ["A", "B", "C"], "A +2 · cluster=blue · zone=eu"),
        ({"grafana_folder": "Infra"}, ["HighLoad"], "HighLoad · grafana_folder=Infra"),
        ({"alertname": "HighLoad", "grafana_folder": "Infra"}, ["HighLoad"], "HighLoad"),
        ({"__private__": "x"}, ["A", "B"], "sms"),
        ({"__private__": "x"}, ["A"], "A"),
        ({"alertname": "\u200b", "cluster": "blue"}, ["A"], "A · cluster=blue"),
        ({}, ["A", "B"], "sms"),
    ],
)
def test_a_group_is_called_by_what_says_something(labels, names, title):
    given = body("alertmanager/firing")
    given["alerts"] = [
        {"labels": {"alertname": name, "n": str(number)}, "fingerprint": str(number)}
        for number, name in enumerate(names)
    ]
    assert monitoring_webhooks.group_of("alertmanager", given | {"groupLabels": labels}, bot_name=None).title == title


@pytest.mark.parametrize(
    ("labels", "notes", "title"),
    [
        ({"instance": "db-1"}, {}, "instance=db-1"),
        ({"instance": "db-1"}, {"summary": "Disk full"}, "Disk full"),
        ({"rulename": "Disk", "instance": "db-1"}, {}, "Disk"),
        ({"__name__": "up", "instance": "db-1"}, {}, "instance=db-1"),
        ({"alertname": "\u2060"}, {"summary": "\u200b"}, "Alert"),
    ],
)
def test_an_alert_is_called_by_what_says_something(labels, notes, title):
    given = changed(labels=labels, annotations=notes)
    assert monitoring_webhooks.group_of("alertmanager", given, bot_name=None).reports[0].title == title


def test_private_labels_are_matched_and_not_shown(room, receive):
    labels = {"alertname": "HighLoad", "__alert_rule_uid__": "u1", "__name__": "up", "pod": "a"}
    receive(changed(labels=labels) | {"groupLabels": {"__alert_rule_uid__": "u1", "alertname": "HighLoad"}})
    text = room.texts()[0]
    assert "pod=a" in text
    assert "__" not in text
    assert "u1" not in text
    assert "alertname=" not in text, "it is the title already"
    assert room.items()[0].labels == labels


# --- notes ---------------------------------------------------------------------------------------------------------


def joined(room, receive, sent) -> None:
    receive(changed(fingerprint="1"))
    sent(room.messages()[0])
    clock.move(600)
    both = changed(fingerprint="1")
    both["alerts"].append(both["alerts"][0] | {"fingerprint": "2"})
    receive(both)
    sent(room.messages()[-1])
    assert "Something new has joined" in room.texts()[-1]


def test_what_joined_is_no_news_below_resolved_nor_when_it_is_opened_again(room, receive, sent):
    joined(room, receive, sent)
    actions.apply(room.alert().id, "resolve", BY)
    assert "Resolved by" in room.texts()[-1]
    assert "joined" not in room.texts()[-1]
    actions.apply(room.alert().id, "reopen", BY)
    assert "joined" not in room.texts()[-1]


@pytest.mark.parametrize("act", ["ack", "snooze"])
def test_why_it_came_is_not_said_once_somebody_has_it(room, receive, sent, act):
    joined(room, receive, sent)
    actions.apply(room.alert().id, act, BY)
    assert "joined" not in room.texts()[-1]


def test_nobody_has_acknowledged_it_is_not_said_below_acknowledged(room, sent):
    from backend.services.alerts.rules import policies

    policies.create(factories.by("user:1"), {"name": "Repeats", "repeat_interval": 300})
    room.raise_()
    sent(room.messages()[0])
    room.pass_time(301)
    assert "Nobody has acknowledged it" in room.texts()[-1]
    actions.apply(room.alert().id, "ack", BY)
    assert "Nobody has acknowledged it" not in room.texts()[-1]


def test_a_silence_that_is_over_is_not_said_while_another_holds(room, sent):
    room.raise_()
    sent(room.messages()[0])
    actions.silence(room.alert().id, BY, seconds=100)
    room.pass_time(101)
    assert "The silence is over" in room.texts()[-1]
    actions.silence(room.alert().id, BY)
    assert "The silence is over" not in room.texts()[-1]


# --- measured values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2879714, "2879714"), (2879714.0, "2879714"), (2879714.37, "2879714.37"), (-1234567, "-1234567"),
        (123456789012, "123456789012"), (1000000, "1000000"), (44.23943737541908, "44.2394"), (1, "1"), (0, "0"),
        (0.0, "0"), (0.00012345678, "0.000123457"), (1e-9, "1e-09"), (5e15, "5000000000000000"),
        (10**400, "1.000000e+400"), (99999.999, "100000"), (True, ""), (None, ""), ("[no value]", "[no value]"),
        ("NaN", "NaN"), ("\u200b", ""), ([1], ""),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_measured_value_keeps_its_digits(value, shown):
    assert monitoring_fields.measured({"values": {"B": value}}) == (f"B = {shown}" if shown else "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[ metric='' labels={} value=14151.331895396988 ]", "14151.33"),
        ("[ var='B' labels={__name__=go_threads, instance=host:3000} value=2.879714e+06 ]", "B = 2879714"),
        ("[ var='B0' metric='cpu' labels={a=b} value=23 ], [ var='C' labels={} value=1 ]", "cpu = 23, C = 1"),
        ("[ var='A' labels={x=[y]} value=null ]", "A = null"),
        ("[no value]", ""),
        ("", ""),
        (" value=", ""),
        ("[ var='B' labels={} value=1 ], " * 5000, ", ".join(["B = 1"] * 20)),
    ],
    ids=lambda text: text[:20],
)
def test_older_grafana_has_its_values_in_a_text(text, shown):
    assert monitoring_fields.measured({"valueString": text}) == shown
    assert monitoring_fields.measured({"valueString": text, "values": None}) == shown
    assert monitoring_fields.measured({"valueString": text, "values": {"B": 7}}) == "B = 7"


def test_seven_digits_are_said_in_the_message(room, receive):
    receive(changed("grafana/firing", values={"B": 2879714, "C": 1}), "grafana")
    assert "B = 2879714, C = 1" in room.texts()[0]


def test_the_words_of_a_value_are_said_in_the_message(room, receive):
    given = changed("grafana/firing", values=None, valueString="[ var='B' labels={team=blue} value=2879714 ]")
    receive(given, "grafana")
    assert "B = 2879714" in room.texts()[0]
