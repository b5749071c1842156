"""The process of accounts, killed, doubled and cut off: nothing is sent twice, no key is used from two places."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
from flask import Flask

from backend.channels.base import Content
from backend.channels.inbound import Chat, Person
from backend.channels.telegram_user import logins as steps
from backend.channels.telegram_user.logins import Application, CodeSent, LoggedIn
from backend.core.database import db, system_scope
from backend.models import Account, Conversation, Message, Workspace
from backend.services import conversations, delivery, senders
from backend.services.accounts import lookups
from tests.support import accounts, factories
from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import TelegramBox

pytestmark = pytest.mark.slow

ANN, BOB = "+12025550101", "+12025550102"
KILLS = int(os.environ.get("ACCOUNT_KILLS", "2"))
"""At each failpoint; `bin/bench kills` asks for ten."""
MAX_MESSAGES = 40


@pytest.fixture
def box() -> Iterator[TelegramBox]:
    with TelegramBox(accounts=True) as made:
        made.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann"})
        made.control("POST", "/accounts", {"phone": BOB, "first_name": "Bob"})
        yield made


@pytest.fixture
def chat(app: Flask, installation: Installation, box: TelegramBox) -> Iterator[Conversation]:
    """Bob's chat with Ann's account, which has found him. Nothing runs yet."""
    server = box.control("GET", "/mtproto")["server"]
    installation.environment["TELEGRAM_MTPROTO_SERVER"] = server
    with system_scope("accounts of a test"):
        connected = asyncio.run(_log_in(Application(12345, "0" * 32, "Switchboard on test", "1", server), box))
        account = accounts.account(factories.workspace(), None, connected.user_id, connected.session)
        point = accounts.point(db.session.merge(_home(account)), "phone", BOB)
        lookups.request(account.sender_id, [point.id])
        db.session.commit()
        installation.start_worker("jobs")
        installation.start_worker("sessions", name="sessions")
        wait_for(lambda: _is_found(account.sender_id, point.id), 60, "Bob to be found")
        sender = senders.by_id(account.sender_id)
        assert sender is not None
        bob = str(box.control("GET", f"/accounts/{BOB}")["id"])
        made = conversations.find_or_create(
            sender, Chat(bob, "private"), workspace_id=account.workspace_id, person=Person(bob, "Bob")
        )
        db.session.commit()
        yield made


async def _log_in(application: Application, box: TelegramBox) -> LoggedIn:
    sent = await steps.send_code(application, ANN)
    assert isinstance(sent, CodeSent)
    code = box.control("GET", f"/accounts/{ANN}/codes")["codes"][-1]["code"]
    return await steps.sign_in(application, sent.session, ANN, sent.code_hash, code)


def _home(account: Account) -> Workspace:
    return db.session.get_one(Workspace, account.workspace_id)


def _is_found(sender_id: int, point_id: int) -> bool:
    db.session.rollback()
    lookup = lookups.result_of(sender_id, point_id)
    if lookup is not None:
        db.session.refresh(lookup)
    return lookup is not None and lookup.result == "found"


def say(chat: Conversation, text: str) -> Message:
    message = delivery.send(chat, Content(text), kind="campaign", at_most_once=True)
    db.session.commit()
    return message


def states(messages: list[Message]) -> Counter[str]:
    db.session.rollback()
    return Counter(db.session.get_one(Message, row.id, populate_existing=True).state for row in messages)


def accepted(box: TelegramBox) -> Counter[str]:
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)["entries"]
    return Counter(entry["text"] for entry in log if entry["outcome"] == "accepted")


def duplicate_keys(box: TelegramBox) -> int:
    return sum(entry["outcome"] == "duplicate_key" for entry in box.control("GET", "/mtproto/log")["entries"])


def _moved_on(installation: Installation, failpoint: str, seen: int, messages: list[Message]) -> bool:
    return installation.hits(failpoint) > seen or states(messages) == Counter(sent=len(messages))


@pytest.mark.parametrize(
    "steps",
    [
        (
            "sessions.before_connect",
            "sessions.fetched_not_stored",
            "sessions.stored_not_committed",
            "sessions.stored",
            "sessions.answered",
        ),
        (
            "delivery.claimed",
            "delivery.before_write",
            "delivery.accepted_not_recorded",
            "delivery.recorded_not_committed",
            "delivery.committed",
        ),
    ],
    ids=["of the connection", "of the message"],
)
def test_a_kill_at_any_step_sends_each_message_once(
    chat: Conversation, installation: Installation, box: TelegramBox, steps: tuple[str, ...]
) -> None:
    messages: list[Message] = []
    for failpoint in steps:
        most = len(messages) + MAX_MESSAGES
        installation.set_failpoints(f"{failpoint}@0.6 kill")
        while installation.hits(failpoint) < KILLS and len(messages) < most:
            seen = installation.hits(failpoint)
            messages.append(say(chat, f"message {len(messages)}"))
            box.control("POST", f"/accounts/{ANN}/cut", {})
            wait_for(partial(_moved_on, installation, failpoint, seen, messages), 60, "a kill, or all to be sent")
        assert installation.hits(failpoint) >= KILLS, failpoint
        installation.set_failpoints("")
        wait_for(lambda: states(messages) == Counter(sent=len(messages)), 120, "all to be sent")
    assert accepted(box) == Counter(f"message {place}" for place in range(len(messages)))
    assert duplicate_keys(box) == 0


def test_two_processes_share_accounts_and_a_rolling_restart_uses_no_key_twice(
    chat: Conversation, installation: Installation, box: TelegramBox
) -> None:
    installation.start_worker("sessions", name="standby")
    messages = []
    for turn in range(4):
        first, second = ("sessions", "standby") if turn % 2 == 0 else ("standby", "sessions")
        messages.append(say(chat, f"message {turn}"))
        installation.processes[first].terminate()
        installation.processes.pop(first).wait(60)
        wait_for(lambda: states(messages) == Counter(sent=len(messages)), 60, f"{second} to send")
        installation.start_worker("sessions", name=first)
    assert accepted(box) == Counter(f"message {turn}" for turn in range(4))
    assert duplicate_keys(box) == 0
