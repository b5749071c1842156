"""The scheduler in the console: planned messages with their next times and history, and the owner's jobs."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Heartbeat, JobRun, Schedule, ScheduledMessage, Sender, SystemJobState, User
from backend.services import scheduling
from tests.http import callers, holdings, routes
from tests.http.console.conftest import Browser
from tests.support.fake_channel import FakeChannel

PATH = "/console/scheduler/messages"
NEW = {
    "bot_name": "news",
    "chat_ids": "-5001",
    "message": "Good morning",
    "kind": "cron",
    "cron": "0 9 * * *",
    "timezone": "Asia/Seoul",
    "enabled": "on",
}
JOB = "retention"


@pytest.fixture
def person(app, no_bot) -> User:
    FakeChannel().install()
    return callers.member(role="operator", email="sam@example.com")


@pytest.fixture
def bot(person: User) -> Sender:
    made = holdings.bot(holdings.home(person), name="news")
    callers.commit()
    return made


@pytest.fixture
def message_id(browser: Browser, bot: Sender) -> int:
    made = browser.post(PATH, NEW)
    assert made.status_code == 303, made.text
    return int(made.headers["Location"].rsplit("/", 1)[1])


@pytest.fixture
def owner(app) -> Browser:
    return Browser(app, callers.member(is_owner=True, email="owner@example.com"))


def planned() -> tuple[ScheduledMessage, Schedule]:
    db.session.rollback()
    with system_scope("a test"):
        row = db.session.execute(
            select(ScheduledMessage, Schedule).join(Schedule, Schedule.subject_id == ScheduledMessage.id)
        ).one()
        return row[0], row[1]


def counted(model: type) -> int:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.scalar(select(func.count()).select_from(model)) or 0


# --- planned messages ---


def test_a_message_is_planned_listed_and_shown(browser, message_id):
    message, schedule = planned()
    assert (message.message, message.bot_name, schedule.cron) == ("Good morning", "news", "0 9 * * *")
    assert schedule.next_fire_at is not None
    assert schedule.next_fire_at.hour == 0
    for address in ("/console/scheduler", f"{PATH}/{message_id}", f"{PATH}/{message_id}/change"):
        page = browser.get(address)
        assert page.status_code == 200
        assert "Good morning" in page.text
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    assert "예약 메시지" in browser.get("/console/scheduler").text
    assert "지금 보내기" in browser.get(f"{PATH}/{message_id}").text


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"message": " "}, "message", "Text is needed."),
        ({"cron": "every day"}, "cron", "cron expression of five fields"),
        ({"cron": ""}, "cron", "cron expression of five fields"),
        ({"timezone": "Mars/Phobos"}, "timezone", "not the name of a time zone"),
        ({"kind": "interval", "every": "5", "unit": "seconds"}, "every", "from 10 seconds"),
        ({"kind": "interval", "every": "x", "unit": "hours"}, "every", "is a whole number."),
        ({"kind": "once", "run_at": "2001-01-01T10:00"}, "run_at", "still to come"),
        ({"kind": "once", "run_at": "soon"}, "run_at", "is a date and a time."),
        ({"chat_ids": "?"}, "chat_ids", "-1001234567890"),
        ({"bot_name": "nobody"}, "bot_name", "There is no such bot."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_planned(browser, bot, change, field, words):
    before = routes.fingerprint()
    refused = browser.post(PATH, NEW | change)
    assert refused.status_code in (404, 422)
    assert f'id="{field}-err"' in refused.text
    assert words in refused.text
    assert routes.fingerprint() == before


def test_a_wrong_timing_is_told_in_the_summary_and_at_its_field_only(browser, bot):
    refused = browser.post(PATH, NEW | {"cron": "every day"})
    assert refused.text.count("cron expression of five fields") == 2


def test_a_refusal_is_said_in_korean(browser, bot):
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    assert "아직 오지 않은 시각" in browser.post(PATH, NEW | {"kind": "once", "run_at": "2001-01-01T10:00"}).text


@pytest.mark.parametrize(
    ("typed", "count", "words"),
    [
        ("kind=cron&cron=0+9+*+*+*&timezone=Asia/Seoul", 3, "09:00:00"),
        ("kind=interval&every=2&unit=hours&timezone=UTC", 3, "UTC"),
        ("kind=once&run_at=2190-01-01T10:00&timezone=UTC", 0, "too far away"),
        ("kind=cron&cron=&timezone=UTC", 0, "as you type"),
        ("kind=cron&cron=99+*+*+*+*&timezone=UTC", 0, "cron expression"),
        ("kind=cron&cron=0+9+*+*+*&timezone=Mars", 0, "time zone"),
        ("kind=often", 0, "as you type"),
        ("", 0, "as you type"),
    ],
)
def test_the_next_three_times_are_shown_while_one_types(browser, typed, count, words):
    part = browser.get(f"{PATH}/preview?{typed}", headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert part.text.count("<li>") == count
    assert words in part.text


@pytest.mark.parametrize(("kind", "field"), [("cron", "cron"), ("interval", "every"), ("once", "run_at")])
def test_each_kind_has_its_own_fields(browser, kind, field):
    part = browser.get(f"{PATH}/timing?kind={kind}", headers={"HX-Request": "true"}).text
    assert f'name="{field}"' in part
    assert "<html" not in part


def test_a_message_is_changed_paused_resumed_and_deleted(browser, message_id):
    address = f"{PATH}/{message_id}"
    form = NEW | {"kind": "interval", "every": "3", "unit": "hours", "message": "Hourly", "chat_ids": ""}
    refused = browser.post(f"{address}/change", form)
    assert refused.status_code == 422, "the bot has no chats of its own"
    assert browser.post(f"{address}/change", form | {"chat_ids": "-5001, -5002"}).status_code == 303
    message, schedule = planned()
    assert (message.message, schedule.interval_seconds, schedule.cron) == ("Hourly", 10800, None)
    browser.post(f"{address}/pause")
    assert not planned()[1].enabled
    assert "Nothing is said before somebody resumes it" in browser.get(address).text
    browser.post(f"{address}/resume")
    assert planned()[1].next_fire_at is not None
    assert browser.post(f"{address}/delete").status_code == 303
    assert counted(ScheduledMessage) == 0
    assert browser.get(address).status_code == 404


def test_saving_what_was_shown_moves_no_time(browser, message_id):
    address = f"{PATH}/{message_id}/change"
    form = NEW | {"kind": "interval", "every": "3", "unit": "hours", "chat_ids": "-5001"}
    browser.post(address, form)
    _, before = planned()
    begun, due = before.run_at, before.next_fire_at
    shown = browser.get(address).text.split('id="run_at"')[1].split('value="')[1].split('"')[0]
    assert shown
    browser.post(address, form | {"run_at": shown, "message": "Another text"})
    message, after = planned()
    assert (message.message, after.run_at, after.next_fire_at) == ("Another text", begun, due)


def test_a_once_that_is_over_is_not_resumed(browser, bot):
    soon = clock.now().astimezone().strftime("%Y")
    form = NEW | {"kind": "once", "run_at": f"{int(soon) + 1}-01-01T10:00", "timezone": "UTC"}
    made = browser.post(PATH, form)
    address = made.headers["Location"]
    browser.post(f"{address}/pause")
    clock.move(3 * 366 * 24 * 3600)
    again = Browser(browser.client.application, callers.member(of_browser(), role="operator"))
    refused = again.post(f"{address}/resume")
    assert refused.status_code == 422
    assert "still to come" in refused.text


def of_browser():
    from backend.models import Workspace

    with system_scope("a test"):
        return db.session.scalars(select(Workspace).order_by(Workspace.id)).first()


def test_it_is_said_now_and_the_history_shows_its_messages(browser, person, message_id):
    assert browser.post(f"{PATH}/{message_id}/run").status_code == 303
    assert "Waiting" in browser.get(f"{PATH}/{message_id}").text
    assert scheduling.carry_out_waiting(Turn(1.0)) == 1
    callers.commit()
    page = browser.get(f"{PATH}/{message_id}").text
    assert "Handed over" in page
    assert "Queued" in page
    assert "Asked for by hand" in page


def test_run_now_of_a_bot_that_is_off_says_why(browser, bot, message_id):
    with system_scope("a test"):
        db.session.get_one(Sender, bot.id).is_active = False
    callers.commit()
    refused = browser.post(f"{PATH}/{message_id}/run")
    assert refused.status_code in (404, 409)
    assert "That was not done" in refused.text


def test_a_message_of_another_workspace_is_not_there(app, message_id):
    other = Browser(app, callers.member(email="other@example.com"))
    before = routes.fingerprint()
    for address in (f"{PATH}/{message_id}", f"{PATH}/{message_id}/change"):
        assert other.get(address).status_code == 404
    for act in ("change", "pause", "resume", "run", "delete"):
        assert other.post(f"{PATH}/{message_id}/{act}", NEW).status_code == 404, act
    assert routes.fingerprint() == before
    assert "Good morning" not in other.get("/console/scheduler").text


def test_a_viewer_looks_and_changes_nothing(app, person, message_id):
    viewer = Browser(app, callers.member(holdings.home(person), "viewer"))
    page = viewer.get(f"{PATH}/{message_id}")
    assert page.status_code == 200
    assert f"{message_id}/run" not in page.text
    assert viewer.post(f"{PATH}/{message_id}/run").status_code == 403
    assert viewer.get(f"{PATH}/new").status_code == 403
    assert viewer.get(f"{PATH}/preview?kind=cron").status_code == 403


# --- the instance's jobs ---


def test_only_the_owner_sees_the_jobs(browser, owner):
    assert "Jobs of this instance" not in browser.get("/console/scheduler").text
    assert browser.get(f"/console/scheduler/jobs/{JOB}").status_code == 403
    page = owner.get("/console/scheduler").text
    assert "Jobs of this instance" in page
    assert f"/console/scheduler/jobs/{JOB}" in page


def test_a_job_is_run_paused_and_resumed(owner):
    address = f"/console/scheduler/jobs/{JOB}"
    assert owner.get(address).status_code == 200
    assert owner.post(f"{address}/trigger").status_code == 303
    assert "Asked for by hand" in owner.get(address).text
    early = owner.post(f"{address}/trigger")
    assert early.status_code == 429
    assert "less than a minute ago" in early.text
    assert counted(JobRun) == 1
    owner.post(f"{address}/pause")
    assert "This job is paused" in owner.get(address).text
    assert "Paused" in owner.get("/console/scheduler").text
    owner.post(f"{address}/resume")
    with system_scope("a test"):
        assert db.session.get_one(SystemJobState, JOB).paused_at is None
    assert owner.get("/console/scheduler/jobs/nothing").status_code == 404
    assert owner.post("/console/scheduler/jobs/nothing/trigger").status_code == 404


def test_a_jobs_runs_are_paged_and_say_what_failed(owner):
    with system_scope("a test"):
        db.session.add_all(
            JobRun(job=JOB, state="failed", code="KeyError", subject="messages:7", started_at=clock.now())
            for _ in range(60)
        )
    callers.commit()
    page = owner.get(f"/console/scheduler/jobs/{JOB}").text
    assert "KeyError" in page
    assert page.count("<tr data-row>") == 50
    cursor = page.split("cursor=")[1].split('"')[0]
    assert owner.get(f"/console/scheduler/jobs/{JOB}?cursor={cursor}").text.count("<tr data-row>") == 10
    assert owner.get(f"/console/scheduler/jobs/{JOB}?cursor=nonsense").status_code == 422


def test_everybody_is_told_when_nothing_runs_schedules(browser, owner):
    words = "Nothing runs schedules at present"
    assert words in browser.get("/console/scheduler").text
    with system_scope("a test"):
        db.session.add(Heartbeat(name="tick", at=func.clock_timestamp()))
    callers.commit()
    assert words not in browser.get("/console/scheduler").text
    assert words not in owner.get("/console/scheduler").text


def test_the_jobs_cost_the_same_number_of_statements_however_many_there_are(app, owner, monkeypatch):
    from sqlalchemy import event

    from backend.services.scheduling import administration, system_jobs

    statements: list[str] = []

    def note(conn, cursor, statement, *_):
        statements.append(statement)

    def cost() -> int:
        statements.clear()
        with system_scope("a test"):
            administration.status()
        return len(statements)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        every = cost()
        some = system_jobs.registered()[:2]
        monkeypatch.setattr(system_jobs, "registered", lambda: some)
        assert cost() == every
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
