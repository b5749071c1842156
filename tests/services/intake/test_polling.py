"""Polling: what was stored is confirmed, what was not comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Sender, WebhookEvent, Workspace
from backend.services import intake, senders
from backend.services.intake import poller as polling
from backend.services.intake.poller import Poller, PollingStopped
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal, settings_with
from tests.support.talking import commit, status_of, token_for
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

ROOT = Path(__file__).parents[3]


def update(number: int, text: str = "hello") -> dict[str, Any]:
    person = {"id": 5001, "is_bot": False, "first_name": "Sam"}
    chat = {"id": 5001, "type": "private", "first_name": "Sam"}
    message = {"message_id": number, "date": 1_790_000_000, "chat": chat, "from": person, "text": text}
    return {"update_id": number, "message": message}


def stored() -> int:
    with system_scope("a test"):
        db.session.rollback()
        return len(db.session.execute(select(WebhookEvent.id)).scalars().all())


class Queue:
    """Telegram's queue for one bot: hands out what is not confirmed, in batches, then ends the polling."""

    def __init__(self, *numbers: int, batch: int = 2) -> None:
        self.waiting = [update(number) for number in numbers]
        self.batch = batch
        self.poller: Poller | None = None

    def __call__(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        offset = params.get("offset")
        if offset is not None:
            self.waiting = [one for one in self.waiting if one["update_id"] >= offset]
        if not self.waiting and self.poller is not None:
            self.poller.stop()
        return self.waiting[: self.batch]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def poller(sender: Sender, api: BotApi, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Poller:
    made = Poller(sender.id, lines.append, wait=0)
    # Rests are for others; what they are decided on is looked at.
    monkeypatch.setattr(made._stop, "wait", lambda seconds: rests.append(seconds))
    rests.clear()
    return made


rests: list[float] = []


def test_everything_is_stored_once_and_confirmed_after_it(poller: Poller, api: BotApi) -> None:
    queue = Queue(10, 11, 12, 13, 14)
    queue.poller = poller
    api.answers["getUpdates"] = queue
    poller.run()
    assert stored() == 5
    assert queue.waiting == []
    assert [params.get("offset") for params in api.called("getUpdates")] == [None, 12, 14, 15]


def test_a_webhook_is_deleted_after_saying_so(poller: Poller, api: BotApi, lines: list[str]) -> None:
    api.answers["getWebhookInfo"] = {"url": "https://x.example/hook", "pending_update_count": 0}
    queue = Queue()
    queue.poller = poller
    api.answers["getUpdates"] = queue
    poller.run()
    assert lines[0].startswith("Deleting the webhook https://x.example/hook")
    assert [name for name, _ in api.calls] == ["getMe", "getWebhookInfo", "deleteWebhook", "getUpdates"]


@pytest.mark.parametrize(
    "missing",
    [
        Refusal(404, "Not Found"),
        Refusal(404, "Not Found: method not found"),
        Refusal(404, None),
        Refusal(405, None),
        Refusal(400, "Bad Request: unknown method"),
        Refusal(501, "Not Implemented"),
        {},
        [],
    ],
)
def test_a_server_that_does_not_know_of_webhooks_is_polled_all_the_same(
    poller: Poller, api: BotApi, lines: list[str], sender: Sender, missing: Any
) -> None:
    api.answers["getWebhookInfo"] = missing
    queue = Queue(10, 11)
    queue.poller = poller
    api.answers["getUpdates"] = queue
    poller.run()
    assert stored() == 2
    assert lines[-1] == "Polling."
    assert api.called("deleteWebhook") == []
    with system_scope("a test"):
        assert db.session.execute(select(Sender.is_active)).scalar_one() is True


def test_a_webhook_that_only_the_refusal_tells_of_is_deleted(poller: Poller, api: BotApi, lines: list[str]) -> None:
    api.answers["getWebhookInfo"] = Refusal(404, "Not Found")
    answers = iter([Refusal(409, "Conflict: can't use getUpdates method while webhook is active")] * 3)

    def answer(params: dict[str, Any]) -> Any:
        refusal = next(answers, None)
        if refusal is None:
            poller.stop()
            return []
        return refusal

    api.answers["getUpdates"] = answer
    poller.run()
    assert len(api.called("deleteWebhook")) == 3
    assert rests == [1.0, 2.0], "one that comes back again and again is not fought without a rest"


def test_what_could_not_be_stored_is_not_confirmed(
    poller: Poller, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(10, 11, batch=1)
    queue.poller = poller
    api.answers["getUpdates"] = queue
    failing = [True, True]

    def store(sender: Sender, raw: bytes) -> bool:
        if failing and failing.pop():
            raise OperationalError("INSERT", {}, Exception("the server closed the connection"))
        return kept(sender, raw)

    kept = polling.store
    monkeypatch.setattr(polling, "store", store)
    poller.run()
    assert stored() == 2
    assert [params.get("offset") for params in api.called("getUpdates")] == [None, None, None, 11, 12]
    assert rests == [1.0, 2.0]


def test_it_rests_longer_and_longer_while_telegram_is_away(poller: Poller, api: BotApi) -> None:
    failures = iter(range(8))

    def answer(params: dict[str, Any]) -> Any:
        if next(failures, None) is None:
            poller.stop()
            return []
        return Refusal(502, "Bad Gateway")

    api.answers["getUpdates"] = answer
    poller.run()
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_another_poller_is_named(poller: Poller, api: BotApi, lines: list[str]) -> None:
    answers = iter([Refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one")])

    def answer(params: dict[str, Any]) -> Any:
        refusal = next(answers, None)
        if refusal is None:
            poller.stop()
            return []
        return refusal

    api.answers["getUpdates"] = answer
    poller.run()
    assert "Another process polls" in lines[-1]


def test_a_webhook_set_meanwhile_is_deleted_again(poller: Poller, api: BotApi) -> None:
    answers = iter([Refusal(409, "Conflict: can't use getUpdates method while webhook is active")])

    def answer(params: dict[str, Any]) -> Any:
        refusal = next(answers, None)
        if refusal is None:
            poller.stop()
            return []
        api.answers["getWebhookInfo"] = {"url": "https://x.example/", "pending_update_count": 0}
        return refusal

    api.answers["getUpdates"] = answer
    poller.run()
    assert len(api.called("deleteWebhook")) == 1


def test_a_refused_token_ends_it_and_disables_the_bot(poller: Poller, api: BotApi, sender: Sender) -> None:
    api.answers["getUpdates"] = Refusal(401, "Unauthorized")
    with pytest.raises(PollingStopped, match="token_refused"):
        poller.run()
    with system_scope("a test"):
        assert db.session.execute(select(Sender.is_active)).scalar_one() is False


@pytest.mark.slow
def test_a_signal_ends_the_command_in_the_middle_of_a_long_poll(
    app: Flask, environment: dict[str, str], sender: Sender, api: BotApi
) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(params: dict[str, Any]) -> list[Any]:
        asked.set()
        released.wait(60)
        return []

    api.answers["getUpdates"] = hang
    settings = environment | {"TELEGRAM_API_URL": api.url, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "telegram", "poll"]
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert asked.wait(60)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        released.set()
        process.kill()
        process.wait()
    assert (process.returncode, b"Traceback" in output) == (0, False), output


@pytest.mark.slow
def test_the_simulated_telegram_is_polled_into_a_link(app: Flask, home: Workspace, lines: list[str]) -> None:
    with (
        TelegramBox() as box,
        settings_with(telegram_api_url=box.url, telegram_bot_token=DEMO_TOKEN),
    ):
        sender = senders.ensure_environment_sender("telegram_bot")
        assert sender is not None
        person = factories.user(home)
        commit()
        sam = box.person("Sam")
        team = box.group("Team", creator=sam, bots=[DEMO_TOKEN])
        poller = Poller(sender.id, lines.append, wait=0)
        poller._take_over()
        box.start(sam, token_for(person, sender))
        assert any(poller.turn() for _ in range(100))
        assert poller.turn() == 0
        intake.drain(Turn(60.0))
        assert status_of(person, sender).chat_id == str(sam["id"])
        # Moving on to the group asks the simulator who administers it.
        box.say(sam, f"/start@{sender.username} {token_for(person, sender)}", chat=team)
        assert any(poller.turn() for _ in range(100))
        intake.drain(Turn(60.0))
        assert status_of(person, sender).chat_id == str(team["id"])
        poller.turn()
        assert box.updates() == []
