"""By itself: groups wait, repetitions come, snoozes end, escalations go up, and nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, failpoints
from backend.core.database import db
from backend.models import AlertMessage, AlertPolicy
from backend.services.alerts import queries
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.rules import policies
from tests.services.alerts.conftest import BY, is_work_due, linked, run_timers, text_of
from tests.support import factories


@pytest.fixture
def policy(room):
    """Makes a policy."""

    def make(**fields: Any) -> AlertPolicy:
        made = policies.create(factories.by("user:1"), {"name": f"Policy {fields.get('position', 0)}", **fields})
        db.session.commit()
        return made

    return make


def fire(room, host: str, **fields: Any):
    return room.raise_(f"{host} is down", f"No answer from {host}", labels={"service": "db", "host": host}, **fields)


def test_a_group_waits_and_then_says_everything_in_one_message(room, policy):
    policy(group_by=["service"], group_wait=30)
    assert fire(room, "db-1").decision == "grouped"
    fire(room, "db-2")
    assert room.messages() == []
    assert queries.overviews(room.alerts())[0].upcoming[0].what == "notify"
    room.pass_time(15)
    assert room.messages() == []
    room.pass_time(15)
    (message,) = room.messages()
    text = text_of(message)
    assert "<b>db-1 is down</b>" in text
    assert "<b>db-2 is down</b>" in text
    assert "2 of 2 still firing" in text
    assert (room.alert().title, room.alert().labels) == ("db", {"service": "db"})


def test_what_joins_later_is_heard_at_the_groups_interval(room, policy, sent):
    policy(group_by=["service"], group_wait=0, group_interval=300)
    assert fire(room, "db-1").decision == "sent"
    sent(room.messages()[0])
    assert fire(room, "db-2").reason == "group_interval"
    room.pass_time(5)
    assert "db-2" in room.texts()[0]
    assert len(room.messages()) == 1
    room.pass_time(296)
    assert len(room.messages()) == 2
    assert "Something new has joined" in room.texts()[1]


def test_five_hundred_distinct_ones_in_a_group_are_one_message_that_lists_them_all(room, policy):
    policy(group_by=["service"], group_wait=30)
    for number in range(500):
        fire(room, f"db-{number:03}")
    room.pass_time(30)
    (message,) = room.messages()
    whole = text_of(message)
    assert all(whole.count(f"<b>db-{number:03} is down</b>") == 1 for number in range(500))
    assert "500 of 500 still firing" in whole


def test_different_groups_are_different_messages(room, policy):
    policy(group_by=["service"], group_wait=0)
    fire(room, "db-1")
    room.raise_("web-1 is down", labels={"service": "web"})
    assert len(room.messages()) == 2


def test_a_group_that_is_over_before_it_was_said_is_not_said(room, policy):
    policy(group_by=["service"], group_wait=30)
    fire(room, "db-1")
    fire(room, "db-1", status="resolved")
    room.pass_time(60)
    assert room.messages() == []
    assert room.alert().state == "resolved"


def test_it_repeats_until_somebody_acknowledges(room, policy, sent):
    policy(repeat_interval=3000)
    room.raise_("Disk full")
    for number in range(2):
        sent(room.messages()[-1])
        room.pass_time(3000)
        assert len(room.messages()) == number + 2
    assert "Nobody has acknowledged it" in room.texts()[-1]
    sent(room.messages()[-1])
    actions.apply(room.alert().id, "ack", BY)
    room.pass_time(3001)
    assert len(room.messages()) == 3


def test_with_a_repeat_interval_reports_only_count(room, policy, sent):
    policy(repeat_interval=3000)
    room.raise_("Disk full")
    sent(room.messages()[0])
    clock.move(120)
    assert room.raise_("Disk full").decision == "counted"


def test_it_escalates_to_people_in_their_own_chat_when_nobody_acknowledges(room, policy, ada, sent):
    policy(escalate_after=600, escalate_user_ids=[ada.id])
    room.raise_("Disk full")
    sent(room.messages()[0])
    room.pass_time(540)
    assert len(room.messages()) == 1
    room.pass_time(60)
    assert len(room.messages()) == 2
    assert room.messages()[1].user_id == ada.id
    assert "now it comes to you" in room.texts()[1]
    room.pass_time(6000)
    assert len(room.messages()) == 2
    assert room.trace().count("escalated") == 1


def test_an_acknowledged_alert_does_not_escalate(room, policy, ada):
    policy(escalate_after=600, escalate_user_ids=[ada.id])
    room.raise_("Disk full")
    actions.apply(room.alert().id, "ack", BY)
    room.pass_time(601)
    assert len(room.messages()) == 1


def test_an_escalation_that_reaches_nobody_reaches_the_admins(room, policy, home, default_bot, sent):
    from tests.support import factories

    nobody = factories.user(home, role="operator")
    admin = linked(home, default_bot, "5009", role="admin")
    policy(escalate_after=600, escalate_user_ids=[nobody.id])
    room.raise_("Disk full")
    sent(room.messages()[0])
    room.pass_time(600)
    assert room.messages()[-1].user_id == admin.id
    assert room.alert().undelivered_code == "not_linked"


def test_a_snooze_ends_with_a_sound(room, sent):
    room.raise_("Disk full")
    sent(room.messages()[0])
    actions.apply(room.alert().id, "snooze", BY, seconds=3600)
    assert "Snoozed by" in room.texts()[0]
    room.raise_("Disk full")
    room.pass_time(3500)
    assert len(room.messages()) == 1
    room.pass_time(100)
    assert "The snooze is over" in room.texts()[1]
    assert room.alert().state == "firing"


def test_an_acknowledgement_does_not_last_for_ever(room, policy, sent):
    policy(acknowledged_for=600, quiet_after=None)
    room.raise_("Disk full")
    sent(room.messages()[0])
    actions.apply(room.alert().id, "ack", BY)
    room.pass_time(600)
    assert "still firing" in room.texts()[1]


def test_something_new_takes_back_what_was_acknowledged(room, policy, sent):
    policy(group_by=["service"], group_wait=0, group_interval=0)
    fire(room, "db-1")
    sent(room.messages()[0])
    actions.apply(room.alert().id, "ack", BY)
    fire(room, "db-2")
    assert room.alert().state == "firing"
    assert len(room.messages()) == 2


def test_what_is_never_heard_of_again_is_closed_quietly(room, sent):
    room.raise_("Deploy finished", severity="info")
    sent(room.messages()[0])
    room.pass_time(86_400)
    assert (room.alert().state, room.alert().resolved_code) == ("resolved", "quiet")
    assert len(room.messages()) == 1
    assert "nothing more was heard" in room.texts()[0]


def test_what_was_heard_of_since_is_not_closed(room):
    room.raise_("Disk full")
    clock.move(80_000)
    room.raise_("Disk full")
    room.pass_time(10_000)
    assert room.alert().state == "firing"


def test_a_resolution_is_answered_where_that_is_wanted(room, policy, sent):
    policy(resolve_reply=True)
    room.raise_("Disk full")
    sent(room.messages()[0])
    room.raise_("Disk full", status="resolved")
    first, answer = room.messages()
    assert "✅ <b>Disk full</b>" in text_of(first)
    assert answer.reply_to == first.external_id
    assert answer.body["parts"][0]["silent"] is True
    assert "Resolved: Disk full" in text_of(answer)


def test_a_step_that_dies_before_its_commit_is_done_again(room, policy, monkeypatch):
    policy(group_by=["service"], group_wait=30)
    fire(room, "db-1")
    clock.move(30)

    def die(name: str) -> None:
        raise SystemExit(name)

    monkeypatch.setattr(failpoints, "hit", die)
    with pytest.raises(SystemExit):
        run_timers()
    db.session.rollback()
    monkeypatch.undo()
    assert room.messages() == []
    run_timers()
    assert len(room.messages()) == 1


def test_one_alert_that_cannot_be_stepped_does_not_hold_up_the_others(room, policy, monkeypatch):
    policy(group_by=["service"], group_wait=30)
    fire(room, "db-1")
    room.raise_("web-1 is down", labels={"service": "web"})
    from backend.services.alerts.messages import notify

    real = notify.notify

    def fail_for_db(case: Any, note: str | None = None) -> Any:
        if case.alert.labels["service"] == "db":
            raise ValueError("a defect")
        return real(case, note)

    monkeypatch.setattr(notify, "notify", fail_for_db)
    room.pass_time(30)
    assert ["web-1" in text for text in room.texts()] == [True]
    monkeypatch.undo()
    room.pass_time(60)
    assert len(room.messages()) == 2


def test_nothing_is_due_without_alerts_and_something_is_when_it_is(room, policy):
    db.session.commit()
    assert not is_work_due()
    policy(group_by=["service"], group_wait=30)
    fire(room, "db-1")
    assert not is_work_due()
    clock.move(30)
    assert is_work_due()
    run_timers()
    assert not is_work_due()


def test_the_first_policy_that_matches_counts(room, policy):
    policy(position=2)
    first = policy(position=1, matchers=[{"label": "service", "op": "=", "value": "db"}])
    fire(room, "db-1")
    room.raise_("web", labels={"service": "web"})
    assert [alert.policy_id == first.id for alert in room.alerts()] == [True, False]


def test_a_policys_language_is_the_chats(room, policy):
    policy(locale="ko")
    room.raise_("Disk full")
    assert "시작:" in room.texts()[0]


def test_the_past_message_of_a_chat_is_living_no_more(room, policy, sent):
    policy(repeat_interval=60)
    room.raise_("Disk full")
    sent(room.messages()[0])
    room.pass_time(60)
    rows = db.session.scalars(select(AlertMessage).order_by(AlertMessage.id)).all()
    assert [row.superseded_at is None for row in rows] == [False, True]
