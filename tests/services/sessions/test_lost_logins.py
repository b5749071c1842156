"""A process that dies between Telegram's answer to a login and its record leaves no login that nobody knows of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db
from backend.models import Account, AccountLogin, User, Workspace
from backend.services.accounts import logins
from backend.services.sessions import login_commands
from tests.services.sessions.conftest import ANN, API, CYD, Running, code_of, duplicate_keys
from tests.support import factories
from tests.support.engine import until
from tests.support.telegram_box import TelegramBox


@pytest.fixture
def person(home: Workspace) -> User:
    made = factories.user(home)
    db.session.commit()
    return made


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Telegram answered to these commands, named by a test, is never recorded: each once."""
    commands: list[str] = []
    record = login_commands._record

    def record_unless_dead(command: Any, result: Any) -> bool:
        if command.name in commands:
            commands.remove(command.name)
            raise OperationalError("died", {}, Exception())
        return record(command, result)

    monkeypatch.setattr(login_commands, "_record", record_unless_dead)
    return commands


def login() -> AccountLogin:
    db.session.rollback()
    return db.session.query(AccountLogin).order_by(AccountLogin.id).populate_existing().limit(1).one()


def logged_in(box: TelegramBox, phone: str) -> int:
    return len(box.control("GET", f"/accounts/{phone}/logins")["logins"])


def asked(home: Workspace, person: User, phone: str, given: str, secret: Callable[[], str]) -> AccountLogin:
    """A login by this phone, with a command that is given and that nobody answers."""
    begun = logins.begin(home.id, person.id, API, phone, "start")
    db.session.commit()
    answered = logins.wait(home.id, begun.id, 1, 30)
    assert answered is not None
    row = db.session.merge(answered)
    logins.give(row, given, secret())
    db.session.commit()
    return login()


def let_go() -> None:
    """The dead process's claim is over."""
    row = login()
    row.claimed_until = row.updated_at - timedelta(days=1)
    db.session.commit()


def test_a_login_that_was_not_recorded_is_taken_over(
    home: Workspace, person: User, box: TelegramBox, running: Running, dying: list[str]
) -> None:
    dying.append("code")
    with running():
        asked(home, person, ANN, "code", lambda: code_of(box, ANN))
        until(lambda: logged_in(box, ANN) == 1 and not dying, 30)
        assert db.session.query(Account).count() == 0
        let_go()
        until(lambda: login().state == "done", 30)
    assert db.session.query(Account).one().telegram_user_id == str(box.control("GET", f"/accounts/{ANN}")["id"])
    assert logged_in(box, ANN) == 1
    assert not duplicate_keys(box)


def test_a_login_that_was_not_recorded_is_logged_out_where_the_person_gave_it_up(
    home: Workspace, person: User, box: TelegramBox, running: Running, dying: list[str]
) -> None:
    dying.append("code")
    with running():
        asked(home, person, ANN, "code", lambda: code_of(box, ANN))
        until(lambda: logged_in(box, ANN) == 1 and not dying, 30)
        logins.give(login(), "cancel")
        db.session.commit()
        until(lambda: logged_in(box, ANN) == 0, 30)
        until(lambda: login().state == "failed", 10)
    assert db.session.query(Account).count() == 0


def test_a_login_whose_time_is_over_is_logged_out(
    home: Workspace, person: User, box: TelegramBox, running: Running, dying: list[str]
) -> None:
    dying.append("code")
    with running():
        asked(home, person, ANN, "code", lambda: code_of(box, ANN))
        until(lambda: logged_in(box, ANN) == 1 and not dying, 30)
        row = login()
        # It was told that Telegram is away, and nobody came back.
        row.state, row.answered_number = "code_required", row.command_number
        row.claimed_by = row.claimed_until = None
        db.session.commit()
        clock.move(11 * 60)
        until(lambda: logged_in(box, ANN) == 0, 30)
    assert login().state == "expired"
    assert db.session.query(Account).count() == 0


def test_a_password_that_was_not_recorded_and_a_new_code_are_told_apart(
    home: Workspace, person: User, box: TelegramBox, running: Running, dying: list[str]
) -> None:
    """A code that led to the question for a password logged nobody in: it is given again, and the question comes."""
    dying.append("password")
    with running():
        asked(home, person, CYD, "code", lambda: code_of(box, CYD))
        until(lambda: login().state == "password_required", 30)
        logins.give(login(), "password", "hunter2")
        db.session.commit()
        until(lambda: not dying, 30)
        let_go()
        until(lambda: login().state == "done", 30)
    assert logged_in(box, CYD) == 1
