"""Retention ends exactly what is older than its age, in turns of a few seconds, as one run of the job history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db
from backend.core.work import Turn
from backend.models import (
    Attempt,
    ContactImport,
    JobRun,
    WebhookEvent,
    WebhookEventKey,
)
from backend.services import housekeeping
from backend.services.housekeeping import retention
from tests.services.housekeeping.old_rows import DELETING, attempt, event, event_key, import_of_contacts, put
from tests.support import factories

MOMENT = timedelta(seconds=30)


@pytest.fixture
def person(app):
    made = factories.user()
    db.session.commit()
    return made


@pytest.fixture
def bot(person):
    made = factories.bot()
    db.session.commit()
    return made


def kept(model):
    found = db.session.execute(select(model)).scalars().all()
    return [one for one in found if getattr(one, "job", "") != retention.JOB.name]


def the_run() -> JobRun:
    db.session.rollback()
    return db.session.execute(select(JobRun).where(JobRun.job == retention.JOB.name)).scalar_one()


@pytest.mark.parametrize("rule", DELETING)
def test_a_rule_deletes_exactly_what_is_older(person, bot, rule):
    make, age = DELETING[rule]
    now = clock.now()
    younger = make(bot, person, now - age + MOMENT)
    put(make(bot, person, now - age - MOMENT), younger, make(bot, person, now - age - timedelta(days=400)))
    assert housekeeping.retain(Turn(60.0)) == 2
    assert kept(type(younger)) == [younger]


def test_every_rule_is_tested():
    assert {name for name, _, _ in retention.RULES} == {
        *DELETING,
        "raw webhook bodies",
        "what imports of contacts show of people",
    }


def test_after_thirty_days_only_what_could_not_be_processed_stays_without_its_body(person, bot):
    now = clock.now()
    older, younger = now - timedelta(days=30) - MOMENT, now - timedelta(days=30) + MOMENT
    parked = event(bot, person, older, state="parked", error="unparsable")
    put(event(bot, person, older), event(bot, person, younger), event(bot, person, older, state="new"), parked)
    put(event(bot, person, older, state="waiting"))
    assert housekeeping.retain(Turn(60.0)) == 4
    rows = db.session.execute(
        select(WebhookEvent.body_encrypted, WebhookEvent.state, WebhookEvent.error).order_by(WebhookEvent.id)
    ).all()
    assert rows == [
        (b"sealed", "done", None),
        (None, "parked", "too_old"),
        (None, "parked", "unparsable"),
        (None, "parked", "too_old"),
    ]


def test_what_an_import_shows_of_people_goes_after_thirty_one_days_and_the_import_stays(person, bot):
    age = timedelta(days=31)
    older = import_of_contacts(bot, person, clock.now() - age - MOMENT)
    younger = import_of_contacts(bot, person, clock.now() - age + MOMENT)
    put(older, younger)
    assert housekeeping.retain(Turn(60.0)) == 1
    db.session.rollback()
    shown = db.session.execute(
        select(ContactImport.columns_encrypted.is_(None), ContactImport.report_encrypted.is_(None)).order_by(
            ContactImport.created_at
        )
    ).all()
    assert shown == [(True, True), (False, False)]


def test_an_event_whose_body_is_gone_is_not_touched_again(person, bot):
    put(event(bot, person, clock.now() - timedelta(days=31), state="parked"))
    assert housekeeping.retain(Turn(60.0)) == 1
    clock.move(3600)
    assert housekeeping.retain(Turn(60.0)) == 0


@pytest.mark.parametrize(
    ("table", "column", "predicate"),
    [
        ("webhook_events", "received_at", "body_encrypted IS NOT NULL"),
        ("attempts", "at", None),
        ("schedule_fires", "fired_at", None),
    ],
)
def test_a_large_table_has_the_index_that_its_rule_reads(person, table, column, predicate):
    found = db.session.execute(
        text("SELECT indexdef FROM pg_indexes WHERE tablename = :table AND indexdef LIKE :column"),
        {"table": table, "column": f"%({column})%"},
    ).scalars()
    assert any(predicate is None or predicate in definition for definition in found)


def test_the_run_is_written_before_anything_is_deleted(person, bot, monkeypatch):
    seen: list[str] = []

    def apply(*given):
        seen.append(the_run().state)
        return 0, True

    monkeypatch.setattr(retention, "_apply", apply)
    housekeeping.retain(Turn(60.0))
    assert seen == ["running"] * len(retention.RULES)
    run = the_run()
    assert (run.state, run.detail) == ("succeeded", "0")
    assert run.finished_at is not None


def test_a_turn_is_bounded_and_the_next_goes_on_with_the_same_run(person, bot, monkeypatch):
    monkeypatch.setattr(retention, "_BATCH", 2)
    old = clock.now() - timedelta(days=91)
    put(*(event_key(bot, person, old) for _ in range(5)), *(attempt(bot, person, old) for _ in range(5)))
    turns = 0
    while True:
        turn = Turn(0.0)
        touched = housekeeping.retain(turn)
        turns += 1
        assert touched <= 3, "what is left of one rule and a batch of the next"
        if the_run().state == "succeeded":
            break
        assert the_run().state == "running"
        assert turn.unfinished, "another turn follows"
        assert turns < 50
    assert the_run().detail == "10"
    assert (kept(WebhookEventKey), kept(Attempt)) == ([], [])


def test_a_second_job_does_nothing_while_one_is_at_work(person, bot, held):
    put(event_key(bot, person, clock.now() - timedelta(days=8)))
    with held(retention.JOB.name):
        assert housekeeping.retain(Turn(60.0)) == 0
    assert len(kept(WebhookEventKey)) == 1
    assert housekeeping.retain(Turn(60.0)) == 1


def test_a_job_that_is_woken_again_within_the_hour_begins_no_new_run(person, bot):
    housekeeping.retain(Turn(60.0))
    put(event_key(bot, person, clock.now() - timedelta(days=8)))
    assert housekeeping.retain(Turn(60.0)) == 0
    assert the_run().state == "succeeded"
    clock.move(3600)
    assert housekeeping.retain(Turn(60.0)) == 1


def test_a_rule_that_raises_ends_the_run_as_failed_and_names_itself(person, monkeypatch):
    monkeypatch.setattr(retention, "RULES", (retention.RULES[0], ("a broken rule", timedelta(0), "SELECT 1 / 0")))

    def apply(statement, before, turn):
        if "/ 0" in statement:
            raise ValueError("a defect")
        return 0, True

    monkeypatch.setattr(retention, "_apply", apply)
    assert housekeeping.retain(Turn(60.0)) == 0
    run = the_run()
    assert (run.state, run.code, run.subject) == ("failed", "ValueError", "a broken rule")
    assert housekeeping.retain(Turn(60.0)) == 0, "the next is tried an hour later"


def test_a_run_that_lost_the_database_is_gone_on_with(person, bot, monkeypatch):
    def away(*given):
        raise OperationalError("DELETE", {}, ConnectionError())

    with monkeypatch.context() as patched:
        patched.setattr(retention, "_apply", away)
        with pytest.raises(OperationalError):
            housekeeping.retain(Turn(60.0))
    assert the_run().state == "running"
    housekeeping.retain(Turn(60.0))
    assert the_run().state == "succeeded"
