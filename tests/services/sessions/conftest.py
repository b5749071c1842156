"""A simulated Telegram with Ann, Bob and Cyd, and the role `sessions` running in threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from flask import Flask

from backend.channels import registry
from backend.channels.telegram_user.channel import TelegramUser
from backend.core import config
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Account, Conversation, Workspace
from backend.services import conversations, intake, senders
from backend.services.accounts import logins
from backend.workers import sessions
from tests.support import factories
from tests.support.engine import until
from tests.support.hearing import hearing
from tests.support.telegram_box import TelegramBox

ANN, BOB, CYD = "+12025550101", "+12025550102", "+12025550103"
API = {"api_id": "12345", "api_hash": "0" * 32}


@pytest.fixture(scope="session")
def accounts_running() -> Iterator[TelegramBox]:
    with TelegramBox(accounts=True) as box:
        yield box


@pytest.fixture
def box(accounts_running: TelegramBox) -> Iterator[TelegramBox]:
    """A world of Ann, Bob and Cyd, who has a password."""
    box = accounts_running
    before = box.control("GET", "/mtproto/settings")
    box.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann", "username": "ann_sim"})
    box.control("POST", "/accounts", {"phone": BOB, "first_name": "Bob", "username": "bob_sim"})
    box.control("POST", "/accounts", {"phone": CYD, "first_name": "Cyd", "password": "hunter2"})
    yield box
    box.control("PATCH", "/mtproto/settings", before)
    box.reset()


@pytest.fixture
def home(app: Flask, box: TelegramBox) -> Iterator[Workspace]:
    """The workspace in scope; the settings name the simulated server."""
    before = config.get()
    config.use(before.model_copy(update={"telegram_mtproto_server": box.control("GET", "/mtproto")["server"]}))
    with system_scope("accounts of a test"):
        made = factories.workspace()
        db.session.commit()
        yield made
    config.use(before)


Running = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def running(app: Flask, home: Workspace) -> Running:
    """Runs the role for as long as the context lasts; it ends in good order."""

    @contextmanager
    def run() -> Iterator[None]:
        work, stop = sessions.loop(app, config.get(), None, None)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop()
            thread.join(60)
            registry.put("telegram_user", TelegramUser())
            assert not thread.is_alive()

    return run


@pytest.fixture
def account(home: Workspace, box: TelegramBox, running: Running) -> Account:
    """Ann's account, connected by its code; nothing runs afterwards."""
    person = factories.user(home)
    db.session.commit()
    with running():
        login = logins.begin(home.id, person.id, API, ANN, "start")
        db.session.commit()
        answered = logins.wait(home.id, login.id, 1, 30)
        assert answered is not None
        assert (answered.state, answered.delivery) == ("code_required", "app"), answered.error_code
        answered = db.session.merge(answered)
        number = logins.give(answered, "code", code_of(box, ANN))
        db.session.commit()
        answered = logins.wait(home.id, login.id, number, 30)
        assert answered is not None
        assert answered.state == "done", answered.error_code
        sender_id = answered.sender_id
        assert sender_id is not None
        until(lambda: account_of(sender_id).caught_up_at is not None, 20)
    return account_of(sender_id)


@pytest.fixture
def heard() -> Iterator[Callable[..., list]]:
    with hearing() as listen:
        yield listen


def code_of(box: TelegramBox, phone: str) -> str:
    code: str = box.control("GET", f"/accounts/{phone}/codes")["codes"][-1]["code"]
    return code


def account_of(sender_id: int) -> Account:
    return db.session.query(Account).filter_by(sender_id=sender_id).populate_existing().one()


def id_of(box: TelegramBox, phone: str) -> int:
    number: int = box.control("GET", f"/accounts/{phone}")["id"]
    return number


def conversation_of(account: Account, user_id: int) -> Conversation | None:
    sender = senders.by_id(account.sender_id)
    assert sender is not None
    return conversations.find(sender, str(user_id), workspace_id=account.workspace_id)


def process() -> None:
    """Processes what was stored."""
    db.session.rollback()
    intake.drain(Turn(60.0))


def sent_by(box: TelegramBox, phone: str) -> list[dict]:
    """What Telegram accepted of an account's messages."""
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=phone)
    return [entry for entry in log["entries"] if entry["outcome"] == "accepted"]


def duplicate_keys(box: TelegramBox) -> list[dict]:
    log = box.control("GET", "/mtproto/log")
    return [entry for entry in log["entries"] if entry["outcome"] == "duplicate_key"]
