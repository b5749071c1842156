"""Mails are stored with their cause, sent by a job, tried again, and leave nothing behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, config, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.egress.smtp import MailFailed
from backend.core.errors import Invalid
from backend.core.work import Turn
from backend.models import JobRun, Mail, Workspace
from backend.services import housekeeping, mail
from backend.services.mail import sending
from backend.services.senders import state as standing
from tests.http import callers
from tests.support import factories
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.usefixtures("app")
TO = "ada@example.com"


@pytest.fixture
def server(app: Any, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as running:
        monkeypatch.setattr(config, "_current", settings.model_copy(update={"smtp_url": running.url}))
        yield running


@pytest.fixture
def home(app: Any) -> int:
    return callers.member(email=TO).workspace_id


def store(home: int, **options: Any) -> Mail:
    made = mail.send(TO, "A subject", "A text", workspace_id=home, **options)
    assert made is not None
    callers.commit()
    return made


def fresh(one: Mail) -> Mail:
    with system_scope("test"):
        found = db.session.get_one(Mail, one.id, populate_existing=True)
        db.session.rollback()
    return found


def test_a_mail_is_sent_after_the_commit_and_nothing_of_it_is_kept(home: int, server: MailServer) -> None:
    one = store(home)
    assert server.mails == []
    assert mail.WORK.is_due()
    assert mail.drain(Turn(60.0)) == 1
    [arrived] = server.mails
    assert (arrived["To"], arrived["Subject"]) == (TO, "A subject")
    assert arrived["From"] == "Switchboard <switchboard@example.com>"
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived.get_content().strip() == "A text"
    sent = fresh(one)
    assert (sent.state, sent.attempts, sent.error) == ("sent", 1, None)
    assert (sent.recipient, sent.subject, sent.body) == (None, None, None)
    assert mail.drain(Turn(60.0)) == 0
    assert len(server.mails) == 1


def test_a_rollback_leaves_no_mail(home: int, server: MailServer) -> None:
    mail.send(TO, "A subject", "A text", workspace_id=home)
    db.session.rollback()
    assert not mail.WORK.is_due()


def test_storing_wakes_the_job(home: int, server: MailServer, valkey: Any) -> None:
    store(home)
    assert valkey.llen("rq:queue:background") == 1


def test_what_a_mail_says_is_not_readable_in_the_database(home: int, server: MailServer) -> None:
    one = store(home)
    for blob in (one.recipient_encrypted, one.subject_encrypted, one.body_encrypted):
        assert blob is not None
        assert b"ada@" not in blob
        assert b"A " not in blob


def test_korean_and_long_lines_arrive_as_they_are(home: int, server: MailServer) -> None:
    text = "안녕하세요 🎉 " + "x" * 3000
    mail.send(TO, "비밀번호", text, workspace_id=home)
    callers.commit()
    mail.drain(Turn(60.0))
    assert server.mails[0]["Subject"] == "비밀번호"
    assert server.mails[0].get_content().strip() == text


def test_a_subject_begins_no_other_header(home: int, server: MailServer) -> None:
    mail.send(TO, "Hello\r\nBcc: eve@example.com", "A text", workspace_id=home)
    callers.commit()
    mail.drain(Turn(60.0))
    assert server.mails[0]["Subject"] == "Hello Bcc: eve@example.com"
    assert server.mails[0]["Bcc"] is None
    assert server.recipients == [TO]


def test_the_same_key_is_the_same_mail(home: int, server: MailServer) -> None:
    first = store(home, key="alert:1")
    assert store(home, key="alert:1").id == first.id
    other = callers.member().workspace_id
    assert store(other, key="alert:1").id != first.id
    assert mail.drain(Turn(60.0)) == 2


def test_what_is_no_address_is_refused(home: int, server: MailServer) -> None:
    with pytest.raises(Invalid):
        mail.send("nobody", "A subject", "A text", workspace_id=home)


def test_without_a_server_nothing_is_stored(home: int) -> None:
    assert not mail.is_configured()
    assert mail.send(TO, "A subject", "A text", workspace_id=home) is None
    assert mail.to_admins(home, "A subject", "A text") == 0
    assert (mail.WORK.is_due(), mail.drain(Turn(60.0))) == (False, 0)


def test_admins_with_an_address_are_told_and_nobody_else(home: int, server: MailServer) -> None:
    callers.member(workspace_id=home, email="kim@example.com")
    callers.member(workspace_id=home, email="viewer@example.com", role="viewer")
    callers.member(workspace_id=home, email="gone@example.com", disabled_at=clock.now())
    callers.member(workspace_id=home, email=None, external_user_id="host-1")
    callers.member(email="elsewhere@example.com")
    with workspace_scope(home):
        assert mail.to_admins(home, "A bot was refused", "Set a new token.", key="bot:1") == 2
        assert mail.to_admins(home, "A bot was refused", "Set a new token.", key="bot:1") == 2
    callers.commit()
    mail.drain(Turn(60.0))
    assert sorted(server.recipients) == [TO, "kim@example.com"]


def test_admins_are_told_in_their_own_language_when_a_bot_is_refused(home: int, server: MailServer) -> None:
    callers.member(workspace_id=home, email="kim@example.com", locale="ko")
    with system_scope("test"):
        bot = factories.bot(db.session.get_one(Workspace, home), name="deploy")
        standing.disable(bot, "token_refused")
        standing.disable(bot, "token_refused")
        db.session.commit()
    mail.drain(Turn(60.0))
    told = {one["To"]: one for one in server.mails}
    assert set(told) == {TO, "kim@example.com"}
    assert told[TO]["Subject"] == "The bot deploy was switched off"
    assert "deploy" in told["kim@example.com"]["Subject"]
    assert "꺼졌습니다" in told["kim@example.com"].get_content()


# --- failures ---

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("failed", "attempts", "expires_at", "expected"),
    [
        (None, 1, DAY, ("sent", 0)),
        (MailFailed("mail_server_away", again=True), 1, DAY, ("waiting", 30)),
        (MailFailed("mail_server_away", again=True), 3, DAY, ("waiting", 120)),
        (MailFailed("mail_server_away", again=True), 60, DAY, ("waiting", 1800)),
        (MailFailed("mail_refused", again=False), 1, DAY, ("failed", 0)),
        (MailFailed("mail_server_away", again=True), 1, NOW + timedelta(seconds=30), ("failed", 0)),
        (None, 1, NOW - timedelta(days=1), ("sent", 0)),
    ],
)
def test_what_becomes_of_a_mail_after_a_try(failed: Any, attempts: int, expires_at: datetime, expected: Any) -> None:
    state, due_at = sending.decide(failed, attempts, NOW, expires_at)
    assert (state, (due_at - NOW).total_seconds()) == expected


def test_a_server_that_is_away_is_tried_again_until_the_mail_is_too_old(
    home: int, settings: config.Settings, monkeypatch: pytest.MonkeyPatch, server: MailServer
) -> None:
    url = config.get().smtp_url
    away = settings.model_copy(update={"smtp_url": "smtp://127.0.0.1:1"})
    monkeypatch.setattr(config, "_current", away)
    one, other = store(home), store(home)
    assert mail.drain(Turn(60.0)) == 0
    assert (fresh(one).state, fresh(one).error, fresh(one).attempts) == ("waiting", "mail_server_away", 1)
    assert fresh(other).attempts == 0, "the server is asked once, not for every mail"
    clock.move(31)
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"smtp_url": url}))
    assert mail.drain(Turn(60.0)) == 2
    assert [fresh(made).state for made in (one, other)] == ["sent", "sent"]

    monkeypatch.setattr(config, "_current", away)
    last = store(home)
    clock.move(24 * 3600)
    assert mail.drain(Turn(60.0)) == 1
    assert (fresh(last).state, fresh(last).body) == ("failed", None)


@pytest.mark.parametrize(("answer", "state"), [("550 no such person", "failed"), ("451 later", "waiting")])
def test_a_refused_recipient_ends_its_own_mail_only(home: int, server: MailServer, answer: str, state: str) -> None:
    server.refuse_recipient = answer
    one, other = store(home), store(home)
    mail.drain(Turn(60.0))
    assert [fresh(made).state for made in (one, other)] == [state, state]
    assert fresh(one).error == "mail_recipient_refused"
    with system_scope("test"):
        runs = db.session.execute(select(JobRun.job, JobRun.code, JobRun.subject)).all()
    assert len(runs) == (2 if state == "failed" else 0)
    server.refuse_recipient = None
    third = store(home)
    mail.drain(Turn(60.0))
    assert fresh(third).state == "sent"


def test_a_mail_whose_sender_died_is_sent_by_another_and_a_late_outcome_changes_nothing(
    home: int, server: MailServer
) -> None:
    one = store(home)
    dead = sending._claim()
    assert dead is not None
    assert mail.drain(Turn(60.0)) == 0, "it is another's for a while"
    clock.move(sending.CLAIMED.total_seconds() + 1)
    assert mail.drain(Turn(60.0)) == 1
    assert sending._record(dead, MailFailed("mail_refused", again=False)) == 0
    assert fresh(one).state == "sent"


def test_two_drains_at_once_send_each_mail_once(home: int, server: MailServer) -> None:
    import threading

    from flask import current_app

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    for _ in range(12):
        mail.send(TO, "A subject", "A text", workspace_id=home)
    callers.commit()

    def work() -> None:
        with app.app_context():
            mail.drain(Turn(60.0))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.mails) == 12
    assert len({one["Message-ID"] for one in server.mails}) == 12


def test_the_sweep_sends_while_redis_is_away(home: int, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store(home)
    monkeypatch.setattr(queue, "wake_now", lambda *lanes: False)
    assert housekeeping.sweep()
    assert len(server.mails) == 1


def test_no_address_and_no_text_reaches_a_log(home: int, server: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("mail.log").disabled = True  # the server's own
    server.refuse_data = "554 ada@example.com said no to: A text"
    store(home)
    mail.drain(Turn(60.0))
    assert "mail_not_sent" in caplog.text
    assert "ada@" not in caplog.text
    assert "A text" not in caplog.text


@pytest.mark.parametrize("fault", [RecursionError(), OverflowError("a date"), KeyError("To")])
def test_a_defect_counts_as_a_try_and_the_mail_waits(
    home: int, server: MailServer, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    one = store(home)

    def broken(*_: Any) -> Any:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_message", broken)
        assert mail.drain(Turn(60.0)) == 0
    waiting = fresh(one)
    assert (waiting.state, waiting.error, waiting.attempts) == ("waiting", "internal_error", 1)
    assert waiting.due_at > clock.now()
    assert mail.drain(Turn(60.0)) == 0
    clock.move(31)
    assert mail.drain(Turn(60.0)) == 1
    assert len(server.mails) == 1


def test_one_that_cannot_be_recorded_is_not_sent_again_at_once(
    home: int, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = store(home)

    def broken(*_: Any) -> Any:
        raise ValueError("a defect")

    monkeypatch.setattr(sending, "_record", broken)
    for _ in range(3):
        mail.drain(Turn(60.0))
    assert len(server.mails) == 1
    assert fresh(one).due_at > clock.now()


@pytest.mark.parametrize("attempts", [1, 5, 60, 5000])
def test_the_pause_never_overflows(attempts: int) -> None:
    now = datetime(2026, 2, 26, tzinfo=UTC)
    state, due = sending.decide(MailFailed("x", again=True), attempts, now, now + timedelta(days=365))
    assert state == "waiting"
    assert timedelta(seconds=30) <= due - now <= timedelta(minutes=30)
