"""Retention ends exactly what is older than its age, in turns of a few seconds, as one run of the job history."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db
from backend.core.work import Turn
from backend.models import (
    Alert,
    Attempt,
    Contact,
    ContactImport,
    ContactImportChange,
    DailySummary,
    FileFetch,
    IdempotencyKey,
    JobRun,
    LinkToken,
    Mail,
    OutgoingDelivery,
    OutgoingWebhook,
    PasswordReset,
    PendingReceipt,
    Schedule,
    ScheduleFire,
    SignIn,
    UnknownRecipient,
    WebhookEvent,
    WebhookEventKey,
)
from backend.services import housekeeping, scheduling
from backend.services.housekeeping import retention
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


def event(bot, person, at: datetime, **values: Any) -> WebhookEvent:
    given = {
        "sender_id": bot.id,
        "channel": "telegram_bot",
        "key": uuid.uuid4().bytes,
        "conversation_key": 1,
        "body_encrypted": b"sealed",
        "state": "done",
        "due_at": at,
        "received_at": at,
    }
    return WebhookEvent(**given | values)


def event_key(bot, person, at):
    return WebhookEventKey(sender_id=bot.id, key=uuid.uuid4().bytes, seen_at=at)


def idempotency_key(bot, person, at):
    return IdempotencyKey(
        workspace_id=person.workspace_id,
        actor="user:1",
        route="POST /api/events",
        key=uuid.uuid4().hex,
        request_hash=b"x",
        created_at=at,
    )


def link_token(bot, person, at):
    return LinkToken(
        workspace_id=person.workspace_id,
        user_id=person.id,
        sender_id=bot.id,
        token_hash=uuid.uuid4().bytes,
        created_at=at,
        expires_at=at,
    )


def attempt(bot, person, at):
    return Attempt(
        workspace_id=person.workspace_id,
        sender_id=bot.id,
        delivery_id=1,
        part=0,
        operation="send",
        phase="started",
        epoch=1,
        at=at,
    )


def job_run(bot, person, at):
    return JobRun(job="another", state="succeeded", started_at=at)


def mail(bot, person, at):
    return Mail(workspace_id=person.workspace_id, kind="notice", due_at=at, expires_at=at, created_at=at)


def resolved_alert(bot, person, at):
    return Alert(
        workspace_id=person.workspace_id,
        group_key=uuid.uuid4().bytes,
        source="api",
        bot_name="alerts",
        severity="warning",
        title="Disk full",
        state="resolved",
        opened_at=at,
        last_seen_at=at,
        resolved_at=at,
    )


def schedule_fire(bot, person, at):
    schedule = db.session.execute(select(Schedule)).scalar() or scheduling.create(
        person.workspace_id, "a test", 1, scheduling.Timing("interval", interval_seconds=3600)
    )
    return ScheduleFire(
        workspace_id=person.workspace_id, schedule_id=schedule.id, fire_at=at, state="done", fired_at=at
    )


def outgoing_delivery(bot, person, at):
    webhook = db.session.execute(select(OutgoingWebhook)).scalar()
    if webhook is None:
        webhook = OutgoingWebhook(
            workspace_id=person.workspace_id, url="https://example.com/", events=["*"], created_at=at, updated_at=at
        )
        webhook.secret = "EXAMPLE-not-a-secret"
        put(webhook)
    return OutgoingDelivery(
        workspace_id=person.workspace_id,
        webhook_id=webhook.id,
        event_id=uuid.uuid4().hex,
        type="webhook.test",
        body="{}",
        state="delivered",
        due_at=at,
        created_at=at,
        ended_at=at,
    )


def daily_summary(bot, person, at):
    # A day for each, whenever it was decided.
    day = at.date() + timedelta(days=at.minute)
    return DailySummary(workspace_id=person.workspace_id, user_id=person.id, day=day, outcome="no_posts", created_at=at)


def password_reset(bot, person, at):
    return PasswordReset(
        workspace_id=person.workspace_id,
        user_id=person.id,
        token_hash=uuid.uuid4().bytes,
        created_at=at,
        expires_at=at,
    )


def sign_in(bot, person, at):
    return SignIn(
        workspace_id=person.workspace_id,
        user_id=person.id,
        current_jti=uuid.uuid4().hex,
        created_at=at,
        refreshed_at=at,
        expires_at=at,
    )


def pending_receipt(bot, person, at):
    made = PendingReceipt(sender_id=bot.id, due_at=at, created_at=at)
    made.payload = "{}"
    return made


def unknown_recipient(bot, person, at):
    return UnknownRecipient(sender_id=bot.id, recipient_id=uuid.uuid4().hex, count=1, first_at=at, last_at=at)


def file_fetch(bot, person, at):
    return FileFetch(
        workspace_id=person.workspace_id,
        owner_kind="post",
        owner_id=1,
        kind="photo",
        source_kind="url",
        state="failed",
        max_tries=3,
        due_at=at,
        created_at=at,
        ended_at=at,
    )


def import_of_contacts(bot, person, at):
    made = ContactImport(
        workspace_id=person.workspace_id, actor="user:1", state="done", due_at=at, filename="people.csv", size=1,
        created_at=at, updated_at=at, run_at=at, counts={}, mapping={},
    )  # fmt: skip
    made.columns_json = made.report_json = "[]"
    return made


def import_change(bot, person, at):
    contact = Contact(workspace_id=person.workspace_id, source="import", created_at=at, updated_at=at)
    job = import_of_contacts(bot, person, clock.now())
    put(contact, job)
    return ContactImportChange(
        workspace_id=person.workspace_id, import_id=job.id, contact_id=contact.id, created=True, before={}, after={},
        created_at=at,
    )  # fmt: skip


Make = Callable[[Any, Any, datetime], Any]
DELETING: dict[str, tuple[Make, timedelta]] = {
    "webhook duplicates' keys": (event_key, timedelta(days=7)),
    "idempotency keys": (idempotency_key, timedelta(hours=24)),
    "link tokens": (link_token, timedelta(days=7)),
    "attempts": (attempt, timedelta(days=90)),
    "job history": (job_run, timedelta(days=90)),
    "mails": (mail, timedelta(days=30)),
    "resolved alerts": (resolved_alert, timedelta(days=90)),
    "fires of schedules": (schedule_fire, timedelta(days=90)),
    "outgoing webhooks' log": (outgoing_delivery, timedelta(days=30)),
    "decided daily summaries": (daily_summary, timedelta(days=90)),
    "ended fetches of files": (file_fetch, timedelta(days=7)),
    "password resets": (password_reset, timedelta(days=7)),
    "receipts without a message": (pending_receipt, timedelta(days=7)),
    "recipients that nobody owns": (unknown_recipient, timedelta(days=90)),
    "ended sign-ins": (sign_in, timedelta(days=30)),
    "processed webhook events": (event, timedelta(days=30)),
    "changes by imports of contacts": (import_change, timedelta(days=31)),
}


def put(*made):
    db.session.add_all(made)
    db.session.commit()


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
    assert housekeeping.retain(Turn(5.0)) == 2
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
    assert housekeeping.retain(Turn(5.0)) == 4
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
    assert housekeeping.retain(Turn(5.0)) == 1
    db.session.rollback()
    shown = db.session.execute(
        select(ContactImport.columns_encrypted.is_(None), ContactImport.report_encrypted.is_(None)).order_by(
            ContactImport.created_at
        )
    ).all()
    assert shown == [(True, True), (False, False)]


def test_an_event_whose_body_is_gone_is_not_touched_again(person, bot):
    put(event(bot, person, clock.now() - timedelta(days=31), state="parked"))
    assert housekeeping.retain(Turn(5.0)) == 1
    clock.move(3600)
    assert housekeeping.retain(Turn(5.0)) == 0


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
    housekeeping.retain(Turn(5.0))
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
        assert housekeeping.retain(Turn(5.0)) == 0
    assert len(kept(WebhookEventKey)) == 1
    assert housekeeping.retain(Turn(5.0)) == 1


def test_a_job_that_is_woken_again_within_the_hour_begins_no_new_run(person, bot):
    housekeeping.retain(Turn(5.0))
    put(event_key(bot, person, clock.now() - timedelta(days=8)))
    assert housekeeping.retain(Turn(5.0)) == 0
    assert the_run().state == "succeeded"
    clock.move(3600)
    assert housekeeping.retain(Turn(5.0)) == 1


def test_a_rule_that_raises_ends_the_run_as_failed_and_names_itself(person, monkeypatch):
    monkeypatch.setattr(retention, "RULES", (retention.RULES[0], ("a broken rule", timedelta(0), "SELECT 1 / 0")))

    def apply(statement, before, turn):
        if "/ 0" in statement:
            raise ValueError("a defect")
        return 0, True

    monkeypatch.setattr(retention, "_apply", apply)
    assert housekeeping.retain(Turn(5.0)) == 0
    run = the_run()
    assert (run.state, run.code, run.subject) == ("failed", "ValueError", "a broken rule")
    assert housekeeping.retain(Turn(5.0)) == 0, "the next is tried an hour later"


def test_a_run_that_lost_the_database_is_gone_on_with(person, bot, monkeypatch):
    def away(*given):
        raise OperationalError("DELETE", {}, ConnectionError())

    with monkeypatch.context() as patched:
        patched.setattr(retention, "_apply", away)
        with pytest.raises(OperationalError):
            housekeeping.retain(Turn(5.0))
    assert the_run().state == "running"
    housekeeping.retain(Turn(5.0))
    assert the_run().state == "succeeded"
