"""A scheduled message is said once to each chat each time, and every time says what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError, NotFound
from backend.core.work import Turn
from backend.models import JobRun, Message, Schedule, ScheduledMessage, ScheduleFire
from backend.services import scheduled_messages, scheduling
from tests.services.scheduled_messages.conftest import BEGINNING
from tests.support import engine, factories

pytestmark = pytest.mark.usefixtures("bot", "scope")

DAILY = {"bot_name": "News", "chat_ids": ["-5001", "5002"], "message": "Hello", "kind": "cron", "cron": "0 9 * * *"}


def plan(**fields):
    made = scheduled_messages.create(factories.by("user:1"), DAILY | fields)
    db.session.commit()
    return made


def fire():
    scheduling.drain(Turn(60.0))
    db.session.rollback()


def the_history(planned):
    found, _ = scheduled_messages.history(planned.message.id)
    return found


def messages():
    return db.session.execute(select(Message).order_by(Message.id)).scalars().all()


def job_history():
    return db.session.execute(select(JobRun.job, JobRun.code)).all()


def test_each_time_each_chat_gets_it_once(channel) -> None:
    planned = plan()
    clock.move(3600)
    fire()
    fire()
    assert [one.state for one in messages()] == ["queued", "queued"]
    assert all(one.at_most_once and one.kind == "scheduled" for one in messages())
    assert {one.body["parts"][0]["text"] for one in messages()} == {"Hello"}
    clock.move(86_400)
    fire()
    newest, first = the_history(planned)
    assert newest.fire.fire_at - first.fire.fire_at == timedelta(days=1)
    assert [len(one.messages) for one in (newest, first)] == [2, 2]
    assert (first.fire.state, first.fire.code) == ("done", None)


def test_the_history_shows_how_far_each_message_got(app, channel) -> None:
    planned = plan()
    channel.script = lambda operation: Rejected("bad_request") if operation.chat_id == "5002" else None
    clock.move(3600)
    fire()
    assert {(said.state, said.reason) for said in the_history(planned)[0].messages} == {("queued", "queued")}
    with system_scope("a test"):
        engine.run_until(app, engine.idle)
    (once,) = the_history(planned)
    assert [(said.state, said.reason) for said in once.messages] == [("sent", None), ("failed", "bad_request")]
    assert job_history() == [("scheduled_message", "bad_request")]


def test_an_unknown_outcome_is_shown_and_never_said_again(app, channel) -> None:
    planned = plan(chat_ids=["5002"])
    channel.script = lambda operation: OutcomeUnknown("read_timeout")
    clock.move(3600)
    fire()
    with system_scope("a test"):
        engine.run_until(app, engine.idle)
    assert len(channel.accepted) <= 1
    assert [(said.state, said.reason) for said in the_history(planned)[0].messages] == [("unknown", "read_timeout")]
    assert job_history() == [("scheduled_message", "read_timeout")]


def test_a_day_without_a_worker_is_made_up_for_by_one() -> None:
    planned = plan(kind="interval", interval_seconds=3600)
    clock.move(86_400)
    fire()
    (once,) = the_history(planned)
    assert once.fire.missed_since is not None
    assert once.fire.missed_since < once.fire.fire_at
    assert len(messages()) == 2


def test_a_bot_that_is_gone_by_then_is_the_reason(bot) -> None:
    planned = plan()
    bot.is_active = False
    db.session.commit()
    clock.move(3600)
    fire()
    (once,) = the_history(planned)
    assert (once.fire.state, once.fire.code, once.messages) == ("failed", "bot_inactive", [])
    assert job_history() == [("scheduled_message", "bot_inactive")]
    assert messages() == []
    bot.is_active = True
    db.session.commit()
    clock.move(86_400)
    fire()
    assert [one.fire.state for one in the_history(planned)] == ["done", "failed"]


def test_one_moment_and_then_no_more() -> None:
    planned = plan(kind="once", run_at=BEGINNING + timedelta(hours=2))
    clock.move(7200)
    fire()
    clock.move(86_400 * 30)
    fire()
    assert len(the_history(planned)) == 1
    assert planned.schedule.next_fire_at is None


@pytest.mark.parametrize(
    ("run_at", "zone", "expected"),
    [
        (datetime(2027, 2, 1, 9, 0), "Asia/Seoul", datetime(2027, 2, 1, 0, 0, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 3, 28, 2, 30), "Europe/Berlin", datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 2, 1, 9, 0, tzinfo=UTC), "Asia/Seoul", datetime(2027, 2, 1, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_without_an_offset_is_local(run_at, zone, expected) -> None:
    assert plan(kind="once", run_at=run_at, timezone=zone).schedule.next_fire_at == expected


REFUSED = [
    ({"cron": "99 9 * * *"}, "bad_cron"),
    ({"cron": None}, "bad_cron"),
    ({"timezone": "Nowhere/Land"}, "unknown_timezone"),
    ({"kind": "once", "run_at": BEGINNING - timedelta(days=1)}, "past_date"),
    ({"kind": "once", "run_at": None}, "past_date"),
    ({"kind": "once", "run_at": datetime(2027, 2, 1), "timezone": "Nowhere/Land"}, "unknown_timezone"),  # noqa: DTZ001
    ({"kind": "once", "run_at": datetime.max.replace(tzinfo=UTC) - timedelta(1)}, "date_too_far"),
    ({"kind": "interval", "interval_seconds": 1}, "bad_interval"),
    ({"kind": "interval"}, "bad_interval"),
    ({"bot_name": "nobody"}, "bot_not_found"),
    ({"bot_name": "theirs"}, "bot_not_found"),
    ({"bot_name": "off"}, "bot_inactive"),
    ({"bot_name": None}, "bot_not_found"),
    ({"chat_ids": []}, "no_chats"),
    ({"chat_ids": None}, "no_chats"),
    ({"chat_ids": ["my cousin"]}, "bad_chat_id"),
]


@pytest.fixture
def others(home):
    factories.bot(factories.workspace(), name="theirs")
    factories.bot(home, name="off", is_active=False)
    with system_scope("a test"):
        db.session.commit()


@pytest.mark.parametrize(("fields", "code"), REFUSED)
def test_what_cannot_be_planned_says_why_and_stores_nothing(others, fields, code) -> None:
    with pytest.raises(AppError) as refused:
        scheduled_messages.create(factories.by("user:1"), DAILY | fields)
    assert refused.value.code == code
    db.session.rollback()
    with system_scope("a test"):
        for model in (ScheduledMessage, Schedule, ScheduleFire):
            assert db.session.execute(select(func.count()).select_from(model)).scalar_one() == 0


@pytest.mark.parametrize(("fields", "code"), [case for case in REFUSED if case[0] != {"cron": None}])
def test_a_change_that_cannot_be_changes_nothing(others, fields, code) -> None:
    planned = plan()
    before = (planned.schedule.cron, planned.schedule.next_fire_at, planned.message.bot_name)
    with pytest.raises(AppError) as refused:
        scheduled_messages.change(factories.by("user:1"), planned.message.id, fields)
    assert refused.value.code == code
    db.session.rollback()
    db.session.expire_all()
    again = scheduled_messages.get(planned.message.id)
    assert (again.schedule.cron, again.schedule.next_fire_at, again.message.bot_name) == before


def test_changing_one_thing_leaves_the_rest() -> None:
    planned = plan(timezone="Asia/Seoul")
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"message": "Good morning"})
    assert (planned.message.message, planned.schedule.cron, planned.schedule.timezone) == (
        "Good morning",
        "0 9 * * *",
        "Asia/Seoul",
    )
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"cron": "30 8 * * *"})
    assert (planned.schedule.cron, planned.schedule.timezone) == ("30 8 * * *", "Asia/Seoul")
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"kind": "interval", "interval_seconds": 60})
    assert (planned.schedule.kind, planned.schedule.cron) == ("interval", None)
    began = planned.schedule.run_at
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"interval_seconds": 120})
    assert (planned.schedule.run_at, planned.schedule.interval_seconds) == (began, 120)


def test_switched_off_it_says_nothing_and_makes_up_for_nothing() -> None:
    planned = plan()
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"enabled": False})
    db.session.commit()
    clock.move(86_400)
    fire()
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"enabled": True})
    db.session.commit()
    fire()
    assert messages() == []
    clock.move(86_400)
    fire()
    assert len(messages()) == 2


def test_said_now_it_names_who_asked_and_keeps_its_next_time() -> None:
    planned = plan(enabled=False)
    scheduled_messages.run_now(factories.by("user:7"), planned.message.id)
    db.session.commit()
    fire()
    (once,) = the_history(planned)
    assert (once.fire.triggered_by, once.fire.state, len(once.messages)) == ("user:7", "done", 2)
    assert planned.schedule.next_fire_at is None


def test_said_now_by_a_bot_that_is_gone_is_refused_at_once(bot) -> None:
    planned = plan()
    bot.is_active = False
    db.session.commit()
    with pytest.raises(AppError, match="bot_inactive"):
        scheduled_messages.run_now(factories.by("user:7"), planned.message.id)
    assert the_history(planned) == []


def test_a_deleted_one_is_not_said_and_what_was_said_stays() -> None:
    planned = plan()
    clock.move(3600)
    fire()
    scheduled_messages.remove(factories.by("user:1"), planned.message.id)
    db.session.commit()
    clock.move(86_400)
    fire()
    assert len(messages()) == 2
    with pytest.raises(NotFound):
        scheduled_messages.get(planned.message.id)


def test_the_chats_are_encrypted() -> None:
    planned = plan()
    assert b"5002" not in (planned.message.chat_ids_encrypted or b"")


def test_another_workspaces_message_does_not_exist() -> None:
    planned = plan()
    with workspace_scope(factories.workspace().id):
        for act in (scheduled_messages.get, scheduled_messages.history):
            with pytest.raises(NotFound):
                act(planned.message.id)
        assert scheduled_messages.listing() == ([], None)
