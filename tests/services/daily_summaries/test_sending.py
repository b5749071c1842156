"""Daily summaries: at each person's time, of their own posts of yesterday, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from backend.core import clock, work
from backend.core.database import db, system_scope, workspace_scope
from backend.models import DailySummary, NotificationEvent, NotificationSettings, Post, Sender, User, Workspace
from backend.services import daily_summaries
from backend.services.auth.attribution import Attribution
from tests.support import factories
from tests.support.fake_channel import FakeChannel

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
YESTERDAY = datetime(2026, 2, 25, 20, tzinfo=UTC)
"""Too late for the summary that was due on that day."""


def go_to(moment: str) -> None:
    """Moves the clock to a moment (UTC)."""
    clock.move((datetime.fromisoformat(moment).replace(tzinfo=UTC) - clock.now()).total_seconds())


@pytest.fixture
def home(app: Flask) -> Iterator[Workspace]:
    FakeChannel(part_chars=4096).install()
    go_to("2026-02-26T00:30:00")
    made = factories.workspace()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def bot(home: Workspace) -> Sender:
    return factories.bot(home, source="environment")


Make = Callable[..., User]


@pytest.fixture
def linked(home: Workspace, bot: Sender) -> Make:
    """Makes people with a linked chat."""

    def make(at: str | None = None, when_empty: bool = False, of: Workspace | None = None, **values: Any) -> User:
        link = {name: values.pop(name) for name in ("linked_at", "state", "paused_at") if name in values}
        person = factories.user(of or home, locale="en", **values)
        factories.link(person, bot, str(6000 + person.id), **({"linked_at": YESTERDAY} | link))
        if at or when_empty:
            settings = NotificationSettings(
                workspace_id=person.workspace_id,
                user_id=person.id,
                daily_summary_at=at or "09:00",
                daily_summary_when_empty=when_empty,
                types={},
                updated_at=clock.now(),
            )
            with system_scope("test"):
                db.session.add(settings)
                db.session.flush()
        return person

    return make


def post(person: User, ended_at: str, platform: str = "instagram", state: str = "published", **counts: int) -> None:
    moment = datetime.fromisoformat(ended_at).replace(tzinfo=UTC)
    made = Post(
        workspace_id=person.workspace_id,
        user_id=person.id,
        platform=platform,
        publisher="webhook",
        content="Hello",
        state=state,
        created_at=moment,
        updated_at=moment,
        ended_at=moment,
        **counts,
    )
    with system_scope("test"):
        db.session.add(made)
        db.session.commit()


def send() -> int:
    with system_scope("test"):
        db.session.commit()
    return daily_summaries.send_due()


def told() -> list[tuple[int, dict[str, Any]]]:
    with system_scope("test"):
        db.session.rollback()
        rows = db.session.scalars(select(NotificationEvent).order_by(NotificationEvent.id)).all()
        return [(row.user_id, row.data) for row in rows if row.type == "daily_summary"]


def outcomes() -> list[tuple[int, str, str]]:
    with system_scope("test"):
        db.session.rollback()
        rows = db.session.scalars(select(DailySummary).order_by(DailySummary.day, DailySummary.user_id)).all()
        return [(row.user_id, row.day.isoformat(), row.outcome) for row in rows]


def test_a_persons_day_is_counted_by_platform(linked: Make) -> None:
    person = linked()
    post(person, "2026-02-25T08:00:00", likes=1000, comments=200)
    post(person, "2026-02-25T23:59:59", likes=34)
    post(person, "2026-02-25T12:00:00", "x", likes=11)
    post(person, "2026-02-25T13:00:00", "x", "failed", likes=999)
    post(person, "2026-02-25T14:00:00", "facebook", "unknown")
    post(person, "2026-02-25T15:00:00", "x", "canceled")
    post(person, "2026-02-26T00:00:00", likes=5000)
    post(person, "2026-02-24T23:59:59", likes=5000)
    go_to("2026-02-26T08:59:00")
    send()
    assert told() == []
    go_to("2026-02-26T09:00:01")
    send()
    assert told() == [
        (
            person.id,
            {
                "date": "2026-02-25",
                "total_posts": 5,
                "successful_posts": 3,
                "failed_posts": 1,
                "total_engagement": 1245,
                "platforms": {
                    "instagram": {"posts": 2, "engagement": 1234},
                    "x": {"posts": 1, "engagement": 11},
                },
            },
        )
    ]
    assert send() == 0
    go_to("2026-02-26T23:59:00")
    send()
    assert len(told()) == 1


def test_each_has_their_own_zone_time_and_posts(linked: Make) -> None:
    seoul = linked(timezone="Asia/Seoul", at="21:00")
    york = linked(timezone="America/New_York", at="00:00")
    other = factories.workspace()
    theirs = linked(of=other)
    for person in (seoul, york, theirs):
        post(person, "2026-02-25T03:00:00")
    go_to("2026-02-26T04:59:00")
    send()
    assert told() == []
    # Midnight in New York: the 25th there, on which the post of 03:00 UTC was not.
    go_to("2026-02-26T05:00:10")
    send()
    assert told() == []
    assert (york.id, "2026-02-25", "no_posts") in outcomes()
    go_to("2026-02-26T09:00:10")
    send()
    assert [user for user, _ in told()] == [theirs.id]
    go_to("2026-02-26T12:00:10")
    send()
    assert [(user, data["date"]) for user, data in told()] == [(theirs.id, "2026-02-25"), (seoul.id, "2026-02-25")]


def test_a_day_without_posts_is_told_where_it_is_wanted(linked: Make) -> None:
    linked()
    wanting = linked(when_empty=True)
    go_to("2026-02-26T09:01:00")
    send()
    [(user, data)] = told()
    assert user == wanting.id
    assert (data["total_posts"], data["platforms"]) == (0, {})


def test_whom_nothing_reaches_is_decided_without_words(linked: Make) -> None:
    people = [
        linked(state="blocked", when_empty=True),
        linked(paused_at=LONG_AGO, when_empty=True),
        linked(disabled_at=LONG_AGO, when_empty=True),
    ]
    go_to("2026-02-26T09:01:00")
    send()
    assert told() == []
    assert {(user, outcome) for user, _, outcome in outcomes()} == {(people[0].id, "blocked"), (people[1].id, "paused")}


def test_who_links_after_their_time_is_not_told_of_the_day_before(linked: Make) -> None:
    late = linked(when_empty=True, linked_at=datetime(2026, 2, 26, 9, 30, tzinfo=UTC))
    early = linked(when_empty=True, linked_at=datetime(2026, 2, 26, 8, 30, tzinfo=UTC))
    go_to("2026-02-26T10:00:00")
    send()
    assert [user for user, _ in told()] == [early.id]
    go_to("2026-02-27T09:00:10")
    send()
    assert sorted(user for user, _ in told()) == sorted([late.id, early.id, early.id])


@pytest.mark.parametrize(
    ("hours", "dates"),
    [
        (0, ["2026-02-25"]),
        (24, ["2026-02-25", "2026-02-26"]),
        (38, ["2026-02-25", "2026-02-26"]),
        (40, ["2026-02-26"]),
        (48, ["2026-02-26", "2026-02-27"]),
        (120, ["2026-03-01", "2026-03-02"]),
    ],
)
def test_what_was_missed_is_sent_until_the_end_of_the_next_day(linked: Make, hours: int, dates: list[str]) -> None:
    linked(when_empty=True)
    go_to("2026-02-26T09:00:10")
    clock.move(hours * 3600)
    send()
    assert [data["date"] for _, data in told()] == dates


@pytest.mark.parametrize(
    ("zone", "at", "around"),
    [
        ("America/New_York", "02:30", "2026-03-08T07:00:00"),
        ("America/New_York", "01:30", "2026-11-01T05:30:00"),
        ("Africa/Cairo", "00:15", "2026-04-23T22:00:00"),
        ("Asia/Beirut", "23:30", "2026-10-24T20:30:00"),
    ],
)
def test_days_with_a_clock_change_are_told_of_once(linked: Make, zone: str, at: str, around: str) -> None:
    go_to(around)
    linked(timezone=zone, at=at, when_empty=True, linked_at=clock.now() - timedelta(hours=30))
    clock.move(-36 * 3600)
    for _ in range(2 * 72):
        clock.move(1800)
        send()
    dates = [data["date"] for _, data in told()]
    assert len(dates) == len(set(dates))
    first, last = min(dates), max(dates)
    assert len(dates) == (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days + 1
    assert len(dates) >= 2


def test_two_processes_tell_once(linked: Make, app: Flask) -> None:
    people = [linked(when_empty=True) for _ in range(8)]
    go_to("2026-02-26T09:00:10")
    with system_scope("test"):
        db.session.commit()

    def job() -> None:
        with app.app_context():
            daily_summaries.send_due()

    threads = [threading.Thread(target=job) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [(user, data["date"]) for user, data in told()]
    assert sorted(found) == sorted((person.id, "2026-02-25") for person in people)


def test_a_crash_before_the_commit_leaves_it_to_the_next(linked: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(when_empty=True)
    go_to("2026-02-26T09:00:10")

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr("backend.services.notifications.report", die)
    with pytest.raises(SystemExit):
        send()
    db.session.rollback()
    monkeypatch.undo()
    assert outcomes() == []
    send()
    assert len(told()) == 1


def test_one_persons_defect_does_not_hold_up_the_others(linked: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.services import notifications

    bad, good = linked(when_empty=True), linked(when_empty=True)
    go_to("2026-02-26T09:00:10")
    report = notifications.report

    def break_down(by: Attribution, kind: str, user: User, *rest: Any, **more: Any) -> Any:
        if user.id == bad.id:
            raise RuntimeError("a defect")
        return report(by, kind, user, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(notifications, "report", break_down)
        send()
    assert [user for user, _ in told()] == [good.id]
    send()
    assert [user for user, _ in told()] == [good.id, bad.id]


def test_who_is_due_is_one_question_however_many_people(linked: Make) -> None:
    for number in range(30):
        linked(timezone=("UTC", "Asia/Seoul", "America/New_York")[number % 3], at="23:59")
    with system_scope("test"):
        db.session.commit()
    send()
    asked: list[str] = []
    listen = lambda conn, cursor, statement, *rest: asked.append(statement)  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        assert send() == 0
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    assert len(asked) <= 5


def test_without_a_default_bot_nobody_is_told(home: Workspace, no_bot: None) -> None:
    assert send() == 0


def test_the_job_is_one_of_the_instances(home: Workspace, linked: Make) -> None:
    linked(when_empty=True)
    go_to("2026-02-26T09:00:10")
    with system_scope("test"):
        db.session.commit()
    assert daily_summaries.JOB.name == "telegram_daily_summary"
    work.run_queue("notifications", 60)
    assert len(told()) == 1
