"""A scheduled message may be an alert, a picture or a document; each goes out once, also without its file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.core.work import Turn
from backend.models import Alert, Delivery, FileFetch, JobRun, Message, ScheduledMessage, StoredFile, Workspace
from backend.services import delivery, files, scheduled_messages, scheduling
from backend.services.scheduled_messages import Occasion, contents, sending
from tests.support import engine, factories
from tests.support.fake_channel import FakeChannel
from tests.support.file_site import PICTURE, Site, claim_file, fetch_files, file_site

pytestmark = pytest.mark.usefixtures("bot", "scope")

DAILY = {"bot_name": "News", "chat_ids": ["-5001", "5002"], "kind": "cron", "cron": "0 9 * * *"}


@pytest.fixture
def site() -> Iterator[Site]:
    with file_site() as made:
        yield made


@pytest.fixture(autouse=True)
def _private_addresses(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own server is on a private address."""
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))


def plan(**fields: Any) -> scheduled_messages.Planned:
    made = scheduled_messages.create(factories.by("user:1"), DAILY | fields)
    db.session.commit()
    return made


def fire(seconds: float = 3600) -> None:
    clock.move(seconds)
    scheduling.drain(Turn(60.0))
    db.session.rollback()
    db.session.expire_all()


def fetch() -> int:
    return fetch_files()


def live_fetches() -> list[FileFetch]:
    return list(db.session.scalars(select(FileFetch).where(FileFetch.ended_at.is_(None))))


def deliver(app: Any) -> None:
    with system_scope("a test"):
        engine.run_until(app, engine.idle)


def the_history(planned: scheduled_messages.Planned) -> list[Occasion]:
    return scheduled_messages.history(planned.message.id)[0]


def messages() -> list[Message]:
    return list(db.session.scalars(select(Message).order_by(Message.id)))


def parts() -> list[dict[str, Any]]:
    return [one.body["parts"][0] for one in messages()]


def a_picture() -> int:
    return files.upload(factories.by("user:1"), "chart.png", io.BytesIO(PICTURE)).id


# --- files ---


@pytest.mark.parametrize("kind", ["photo", "document"])
def test_an_uploaded_file_is_sent_to_each_chat_once_each_time(app: Any, channel: FakeChannel, kind: str) -> None:
    planned = plan(**{kind: {"file_id": a_picture(), "caption": "Figures"}})
    fire()
    fire(0)
    assert [one.at_most_once for one in messages()] == [True, True]
    for part in parts():
        assert part["text"] == "Figures"
        assert [item["kind"] for item in part["media"]] == [kind]
    deliver(app)
    assert {said.state for said in the_history(planned)[0].messages} == {"sent"}
    fire(86_400)
    assert len(messages()) == 4


def test_a_file_goes_without_a_caption(app: Any, channel: FakeChannel) -> None:
    plan(photo={"file_id": a_picture()})
    fire()
    assert [part["text"] for part in parts()] == ["", ""]


def test_an_address_is_fetched_anew_each_time_and_goes_out_as_a_file(
    app: Any, channel: FakeChannel, site: Site
) -> None:
    planned = plan(photo={"url": f"{site.url}/a.png", "caption": "Figures"})
    for day in (1, 2):
        fire(3600 if day == 1 else 86_400)
        assert {one.reason for one in the_history(planned)[0].messages} == {"fetching_attachment"}
        due = db.session.scalars(select(Delivery.due_at)).all()
        assert min(due) > clock.now() + timedelta(minutes=2), "nothing goes before its file is there"
        assert fetch() == 1
        deliver(app)
        assert len(channel.accepted) == 2 * day
        assert {said.state for said in the_history(planned)[0].messages} == {"sent"}
    assert site.asked == ["/a.png"] * 2
    assert live_fetches() == []
    assert {(part["text"], part["media"][0]["kind"]) for part in parts()} == {("Figures", "photo")}
    assert fetch() == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: (404, b"nothing"), "http_404"),
        (lambda: (200, b"plain text, no picture"), "not_a_picture"),
        (lambda: (200, b""), "file_empty"),
    ],
)
def test_what_cannot_be_fetched_goes_out_once_with_its_address(
    app: Any, channel: FakeChannel, site: Site, answer: Callable[[], tuple[int, bytes]], code: str
) -> None:
    site.answers["/a.png"] = answer
    planned = plan(photo={"url": f"{site.url}/a.png", "caption": "Figures"})
    fire()
    fetch()
    deliver(app)
    assert {part["text"] for part in parts()} == {f"Figures\n\n{site.url}/a.png"}
    assert len(channel.accepted) == 2
    assert {said.state for said in the_history(planned)[0].messages} == {"sent"}
    assert db.session.execute(select(JobRun.job, JobRun.code, JobRun.detail)).all() == [
        ("scheduled_message", "attachment_failed", code)
    ]
    assert (live_fetches(), db.session.scalars(select(StoredFile)).all()) == ([], [])


def test_a_server_in_trouble_is_asked_three_times(site: Site) -> None:
    site.answers["/a.png"] = lambda: (503, b"")
    plan(document={"url": f"{site.url}/a.png"})
    fire()
    for wait in (0, 5, 20, 60):
        clock.move(wait)
        fetch()
    assert site.asked == ["/a.png"] * 3
    assert live_fetches() == []


def test_a_process_that_died_while_fetching_loses_nothing(app: Any, channel: FakeChannel, site: Site) -> None:
    plan(photo={"url": f"{site.url}/a.png"})
    fire()
    assert claim_file() is not None
    assert fetch() == 0, "it is that process's for a minute"
    clock.move(61)
    assert fetch() == 1
    deliver(app)
    assert len(channel.accepted) == 2
    assert all(part["media"] for part in parts())


def test_a_file_that_ends_each_process_is_given_up(site: Site) -> None:
    plan(photo={"url": f"{site.url}/a.png"})
    fire()
    for _ in range(3):
        assert claim_file() is not None
        clock.move(61)
    assert fetch() == 1
    assert site.asked == []
    assert db.session.execute(select(JobRun.detail)).scalars().all() == ["not_fetched"]


def test_if_nobody_fetches_the_message_goes_by_itself_and_the_file_is_not_sent_after_it(
    app: Any, channel: FakeChannel, site: Site
) -> None:
    plan(photo={"url": f"{site.url}/a.png", "caption": "Figures"})
    fire()
    clock.move(timedelta(minutes=3, seconds=1).total_seconds())
    deliver(app)
    assert len(channel.accepted) == 2
    fetch()
    deliver(app)
    assert len(channel.accepted) == 2
    assert {part["text"] for part in parts()} == {f"Figures\n\n{site.url}/a.png"}
    assert db.session.scalars(select(StoredFile)).all() == []


def test_a_plan_deleted_meanwhile_does_not_keep_its_message_back(app: Any, channel: FakeChannel, site: Site) -> None:
    planned = plan(photo={"url": f"{site.url}/a.png"})
    fire()
    scheduled_messages.remove(factories.by("user:1"), planned.message.id)
    assert fetch() == 1
    assert db.session.scalars(select(StoredFile)).all() == [], "nothing has any use for it"
    clock.move(181)
    deliver(app)
    assert len(channel.accepted) == 2


def test_a_file_that_is_gone_by_then_is_the_reason() -> None:
    planned = plan(photo={"file_id": (number := a_picture())})
    db.session.delete(db.session.get_one(StoredFile, number))
    db.session.commit()
    fire()
    assert [(one.fire.state, one.fire.code) for one in the_history(planned)] == [("failed", "file_not_found")]


# --- alerts ---

ALERT = {"title": "Backup check", "message": "Look whether <b>last night's</b> backup is there", "severity": "Info"}


def test_an_alert_is_raised_as_an_alert(app: Any, channel: FakeChannel) -> None:
    planned = plan(alert=ALERT | {"labels": {"team": "ops"}, "buttons": [{"text": "Runbook", "url": "https://a.b/c"}]})
    fire()
    alert = db.session.scalars(select(Alert)).one()
    assert (alert.title, alert.severity, alert.source, alert.bot_name) == ("Backup check", "info", "schedule", "News")
    assert alert.labels == {"team": "ops"}
    (once,) = the_history(planned)
    assert (once.fire.state, once.alert_id, once.decision) == ("done", alert.id, "sent")
    assert len(db.session.scalars(select(Alert)).all()) == 1


def test_the_same_alert_again_is_the_same_living_alert() -> None:
    planned = plan(alert=ALERT, kind="interval", interval_seconds=30)
    fire(30)
    fire(30)
    assert len(db.session.scalars(select(Alert)).all()) == 1
    newest, _ = the_history(planned)
    assert newest.decision in ("counted", "grouped")
    scheduled_messages.change(factories.by("user:1"), planned.message.id, {"alert": ALERT | {"status": "resolved"}})
    db.session.commit()
    fire(30)
    assert the_history(planned)[0].decision == "resolved"


def test_an_alert_without_a_bot_s_name_goes_by_the_bot_for_alerts(home: Any) -> None:
    plan(bot_name=None, chat_ids=None, alert=ALERT)
    fire()
    assert db.session.scalars(select(Alert)).one().bot_name == "alerts"


def test_an_alert_s_fire_that_dies_before_its_commit_raises_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(alert=ALERT)
    clock.move(3600)
    real = sending._raise_alert

    def dies(message: ScheduledMessage) -> Any:
        real(message)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_raise_alert", dies)
        with pytest.raises(KeyboardInterrupt):
            scheduling.drain(Turn(60.0))
    db.session.rollback()
    assert db.session.scalars(select(Alert)).all() == []
    scheduling.drain(Turn(60.0))
    db.session.rollback()
    assert len(db.session.scalars(select(Alert)).all()) == 1
    assert [one.fire.state for one in the_history(planned)] == ["done"]


# --- what cannot be planned ---


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({}, "content_missing", "message"),
        ({"message": "Hello", "alert": ALERT}, "content_ambiguous", "alert"),
        ({"photo": {"file_id": 1}, "document": {"file_id": 1}}, "content_ambiguous", "document"),
        ({"photo": {}}, "invalid", "photo"),
        ({"photo": {"url": "https://example.com/a.png", "file_id": 1}}, "invalid", "photo"),
        ({"document": {"url": "ftp://example.com/a.pdf"}}, "invalid", "document.url"),
        ({"photo": {"file_id": 999}}, "file_not_found", None),
        ({"alert": {}}, "invalid", "alert.title"),
        ({"alert": {"title": "x", "severity": "No word!"}}, "invalid", "alert.severity"),
        (
            {"alert": {"title": "x", "buttons": [{"text": "a", "url": "javascript:x"}]}},
            "invalid",
            "alert.buttons.0.url",
        ),
        ({"alert": {"title": "x", "photo": {"url": "a"}, "document": {"url": "b"}}}, "attachment_ambiguous", None),
        ({"alert": ALERT, "bot_name": "nobody"}, "bot_not_found", None),
        ({"photo": {"file_id": 1}, "bot_name": "nobody"}, "bot_not_found", None),
    ],
)
def test_what_cannot_be_planned_says_why_and_stores_nothing(
    fields: dict[str, Any], code: str, field: str | None
) -> None:
    with pytest.raises(AppError) as refused:
        scheduled_messages.create(factories.by("user:1"), DAILY | fields)
    assert refused.value.code == code
    if field is not None:
        assert isinstance(refused.value.detail, list)
        assert [fault["field"] for fault in refused.value.detail] == [field]
    db.session.rollback()
    assert db.session.scalars(select(ScheduledMessage)).all() == []


def test_another_workspace_s_file_cannot_be_planned() -> None:
    with system_scope("a test"):
        foreign = factories.workspace()
        db.session.commit()
    with workspace_scope(foreign.id):
        number = a_picture()
        db.session.commit()
    with pytest.raises(AppError) as refused:
        plan(photo={"file_id": number})
    assert refused.value.code == "file_not_found"


def test_a_file_that_is_no_picture_is_refused_as_a_photo() -> None:
    number = files.upload(factories.by("user:1"), "a.txt", io.BytesIO(b"words")).id
    with pytest.raises(AppError) as refused:
        plan(photo={"file_id": number})
    assert refused.value.code == "not_a_picture"
    plan(document={"file_id": number})


# --- changing ---


def test_what_is_said_may_become_something_else() -> None:
    planned = plan(message="Hello")
    number = planned.message.id
    for fields in ({"alert": ALERT}, {"photo": {"file_id": a_picture()}}, {"message": "Hello again"}):
        changed = scheduled_messages.change(factories.by("user:1"), number, fields)
        content = contents.of(changed.message)
        assert {content.kind: content.value} == fields
        db.session.commit()
    unchanged = scheduled_messages.change(factories.by("user:1"), number, {"message": None, "enabled": False})
    assert contents.of(unchanged.message).value == "Hello again"


def test_lists_have_words_for_everything() -> None:
    number = a_picture()
    for fields, words in (
        ({"alert": ALERT}, "Backup check"),
        ({"alert": {"template": "{host} is away"}}, "{host} is away"),
        ({"photo": {"file_id": number}}, f"#{number}"),
        ({"photo": {"file_id": number, "caption": "Figures"}}, "Figures"),
        ({"document": {"url": "https://example.com/a.pdf"}}, "https://example.com/a.pdf"),
    ):
        assert plan(**fields).message.message == words


def test_a_fire_whose_messages_are_settled_leaves_nothing_to_fetch(site: Site) -> None:
    planned = plan(photo={"url": f"{site.url}/a.png"})
    fire()
    with system_scope("a test"):
        for message in messages():
            delivery.cancel(message, "a_test")
        db.session.commit()
    fetch()
    assert live_fetches() == []
    assert {said.state for said in the_history(planned)[0].messages} == {"canceled"}
