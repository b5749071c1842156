"""Rules that were switched off by themselves: what is stored, who is told, and what switches them on again."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import AlertPolicy, AlertSilence, AuditEntry
from backend.services.alerts.rules import faults, policies, silence_preview, silences
from backend.services.alerts.rules import matchers as matching
from tests.services.alerts.conftest import BY, run_timers
from tests.services.alerts.test_silence_application import PATTERN, small_meter, stored
from tests.services.alerts.test_silences import fire, hush
from tests.support import factories

REFUSED = [{"label": "service", "op": "=~", "value": "(?=d)db"}]
COSTLY = [{"label": "host", "op": "=~", "value": "(?:.*d.*){80}x"}]


def store_matchers(rule, matchers) -> None:
    """As an earlier version has stored them, which took what this one refuses."""
    db.session.execute(update(type(rule)).where(type(rule).id == rule.id).values(matchers=matchers))
    db.session.commit()


def titles(room) -> list[str]:
    return [alert.title for alert in room.alerts()]


@pytest.mark.parametrize("op", ["=~", "!~"])
@pytest.mark.parametrize("pattern", ["(?=d)db", r"(d)\1?b", "d{2147483648}", "(?>d)b"])
def test_a_stored_pattern_that_is_refused_today_silences_nothing_and_is_said(room, op, pattern):
    silence = hush()
    store_matchers(silence, [{"label": "service", "op": op, "value": pattern}])
    assert fire(room).decision == "sent"
    assert stored(silence.id).disabled_code in ("bad_pattern", "pattern_too_large")
    assert silences.state_of(stored(silence.id)) == "disabled"
    run_timers()
    assert f"Silence {silence.id} was switched off" in titles(room)
    run_timers()
    assert len(titles(room)) == 2, "said once"


def test_what_a_silence_hushed_is_heard_when_it_is_switched_off(room):
    silence = hush()
    fire(room)
    store_matchers(silence, REFUSED)
    silences.change(BY, silence.id, {"comment": None, "matchers": PATTERN})
    store_matchers(silence, REFUSED)
    run_timers()
    assert room.alerts()[0].silenced_until is None
    assert "db-1 is down" in room.texts()[0]


def test_the_costliest_of_several_is_switched_off_and_the_others_go_on(room, monkeypatch):
    costly, cheap = hush(COSTLY), hush(PATTERN)
    monkeypatch.setattr(matching.Meter, "__init__", small_meter(60_000))
    room.raise_("db-1 is down", labels={"service": "db", "host": "d" * 500})
    assert stored(costly.id).disabled_code == "pattern_too_costly"
    assert stored(cheap.id).disabled_code is None
    clock.move(120)
    assert room.raise_("db-2 is down", labels={"service": "db", "host": "d" * 500}).decision == "silenced"
    assert db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("%switched_off"))).all() == [
        "alert_silence.switched_off"
    ]


def test_a_policy_is_passed_over_and_the_admins_language_tells(room, ada, monkeypatch):
    ada.role, ada.locale = "admin", "ko"
    made = policies.create(factories.by("user:1"), {"name": "결제", "matchers": PATTERN, "position": 0})
    store_matchers(made, REFUSED)
    fire(room)
    policy = db.session.get_one(AlertPolicy, made.id, populate_existing=True)
    assert policy.disabled_code == "bad_pattern"
    assert room.alerts()[0].policy_id is None
    run_timers()
    assert "경보 규칙 “결제”이(가) 중지되었습니다" in titles(room)
    policies.change(factories.by("user:1"), made.id, {"matchers": PATTERN})
    run_timers()
    assert [alert.state for alert in room.alerts() if "결제" in alert.title] == ["resolved"]
    assert room.raise_("db-9 is down", labels={"service": "db"}).alert_id is not None
    assert room.alerts()[-1].policy_id == made.id


def test_changing_or_ending_a_silence_switches_it_on_again(room):
    silence = hush()
    store_matchers(silence, REFUSED)
    fire(room)
    with pytest.raises(Invalid):
        silences.change(BY, silence.id, {"comment": "still refused"})
    silences.change(BY, silence.id, {"matchers": PATTERN})
    run_timers()
    assert stored(silence.id).disabled_code is None
    assert room.alerts()[0].silenced_until is not None
    assert silences.listing(state="disabled", cursor=None, limit=9)[0] == []


def test_lists_by_the_state_disabled(room):
    silence = hush()
    store_matchers(silence, REFUSED)
    fire(room)
    assert [one.id for one in silences.listing(state="disabled", cursor=None, limit=9)[0]] == [silence.id]
    assert silences.listing(state="active", cursor=None, limit=9)[0] == []


def test_a_rule_that_somebody_holds_is_not_waited_for(room, databases):
    import psycopg

    silence = hush()
    store_matchers(silence, REFUSED)
    with psycopg.connect(databases.url) as other:
        other.execute("SELECT 1 FROM alert_silences WHERE id = %s FOR UPDATE", (silence.id,))
        assert fire(room).decision == "sent"
    assert stored(silence.id).disabled_code is None


def test_a_transaction_has_one_meter_and_the_next_a_new_one(room):
    first = faults.meter()
    assert faults.meter() is first
    db.session.execute(select(AlertSilence.id))
    assert faults.meter() is first
    db.session.commit()
    assert faults.meter() is not first


def test_a_preview_is_bounded_in_rows_and_says_so(room, monkeypatch):
    for number in range(4):
        fire(room, f"db-{number}")
    assert silence_preview.preview(PATTERN).complete
    monkeypatch.setattr(silence_preview, "MAX_OPEN", 3)
    found = silence_preview.preview(PATTERN)
    assert (found.item_count, found.complete) == (3, False)
    monkeypatch.setattr(silence_preview, "MAX_OPEN", 4)
    monkeypatch.setattr(silence_preview, "MAX_PAST", 2)
    found = silence_preview.preview(PATTERN)
    assert (found.item_count, found.last_week_count, found.complete) == (4, 2, False)


def test_a_preview_is_bounded_in_what_its_patterns_cost(room, monkeypatch):
    for number in range(4):
        fire(room, f"db-{number}")
    monkeypatch.setattr(silence_preview, "MAX_STEPS", 1)
    found = silence_preview.preview([{"label": "host", "op": "=~", "value": "db-.*"}])
    assert (found.item_count, found.complete) == (0, False)
