"""A provider's slip does not stop a bot for good: a refused token is asked about again, at growing rests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from backend.channels import registry
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Sender
from backend.services import senders
from tests.channels.example_channel.client import ExampleClient
from tests.channels.scripted_server import answer, scripted_server
from tests.support import accounts, example_provider, factories
from tests.support.bot_api import BotApi, Refusal, bot_api


@pytest.fixture
def api(app: Flask) -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def refused(api: BotApi) -> Sender:
    made = factories.bot(factories.workspace())
    with system_scope("a test"):
        senders.disable(made, "token_refused")
        db.session.commit()
    return made


def is_active(sender: Sender) -> bool:
    db.session.expire_all()
    with system_scope("a test"):
        return db.session.get_one(Sender, sender.id).is_active


def test_a_bot_that_telegram_accepts_again_goes_on_by_itself(api: BotApi, refused: Sender) -> None:
    assert senders.recheck_refused() == 0
    clock.move(61)
    assert senders.recheck_refused() == 1
    assert is_active(refused)


def test_a_bot_that_is_still_refused_is_asked_about_less_and_less_often(api: BotApi, refused: Sender) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    for _ in range(60):
        clock.move(60)
        senders.recheck_refused()
    assert not is_active(refused)
    assert 10 < len(api.called("getMe")) < 40


def test_a_bot_that_a_person_switched_off_stays_off(api: BotApi, refused: Sender) -> None:
    with system_scope("a test"):
        senders.disable(refused, "switched_off")
        db.session.commit()
    clock.move(3600)
    assert senders.recheck_refused() == 0
    assert api.called("getMe") == []


def test_a_token_that_came_as_an_argument_is_asked_about_for_a_day(api: BotApi, refused: Sender) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    with system_scope("a test"):
        refused.source = "arguments"
        db.session.commit()
    clock.move(61)
    senders.recheck_refused()
    assert len(api.called("getMe")) == 1
    clock.move(2 * 86_400)
    senders.recheck_refused()
    assert len(api.called("getMe")) == 1


def test_an_id_that_is_not_known_is_asked_for_until_the_provider_tells(app: Flask) -> None:
    with example_provider.added(), scripted_server() as server:
        registry.put("example", ExampleClient(server.url))
        server.script = [answer(500, b""), answer(200, {"id": "account-7", "name": "Seven"})]
        sender = example_provider.sender(factories.workspace(), None)
        assert senders.recheck_refused() == 0
        assert senders.recheck_refused() == 0
        assert len(server.received) == 1, "it rests first"
        clock.move(61)
        assert senders.recheck_refused() == 1
        with system_scope("a test"):
            assert db.session.get_one(Sender, sender.id, populate_existing=True).external_id == "account-7"
        clock.move(3600)
        assert senders.recheck_refused() == 0
        assert len(server.received) == 2


def test_an_account_that_keeps_a_connection_is_left_to_the_process_that_has_it(api: BotApi, refused: Sender) -> None:
    with system_scope("a test"):
        account = accounts.account(factories.workspace())
        sender = db.session.get_one(Sender, account.sender_id)
        db.session.commit()
    clock.move(3600)
    assert senders.recheck_refused(most=1) == 1, "and takes nobody's turn"
    assert is_active(refused)
    assert sender.facts == {}
