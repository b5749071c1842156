"""A name, an id or a token becomes a row of `senders`: whose, and made when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core.config import BotConfig
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Sender, Workspace
from backend.services import linking, senders
from backend.services.bots import resolution
from backend.services.bots.resolution import Target
from tests.conftest import BOT_TOKEN
from tests.support import factories
from tests.support.bot_api import settings_with
from tests.support.talking import commit

TOKEN = "111111:FAKE-TOKEN-visibly-fake-for-the-tests"
CONFIGS = (BotConfig(name="Night", token=TOKEN, chat_ids="6, 7"),)


@pytest.fixture
def away(app: Flask) -> Workspace:
    """A workspace that is not the instance's first."""
    return factories.workspace()


@pytest.fixture
def configured(home: Workspace) -> Iterator[None]:
    with settings_with(telegram_bot_configs=CONFIGS, telegram_chat_ids=("-100300",)):
        yield


def rows() -> list[Sender]:
    with system_scope("a test"):
        return list(db.session.execute(select(Sender).order_by(Sender.id)).scalars())


def made(of: Workspace, name: str, *chat_ids: str, **values: object) -> Sender:
    bot = factories.bot(of, name=name, **values)
    with system_scope("a test"):
        bot.chat_ids = chat_ids
        db.session.flush()
    return bot


def resolve(workspace_id: int, **asked: Any) -> Target:
    with workspace_scope(workspace_id):
        return resolution.resolve(**asked)


def knows(workspace_id: int, name: str) -> bool:
    with workspace_scope(workspace_id):
        return resolution.knows(name)


def test_a_bot_of_the_database_is_found_by_name_in_any_case_and_by_id(home: Workspace) -> None:
    bot = made(home, "Größe 배포", "-100200", "@ops", message_thread_id="42")
    target = resolve(home.id, bot_name=" GRÖSSE 배포")
    assert (target.sender, target.chat_ids, target.thread_id, target.level) == (
        bot,
        ("-100200", "@ops"),
        "42",
        "database",
    )
    assert resolve(home.id, bot_id=bot.id) == target
    assert b"-100200" not in (bot.chat_ids_encrypted or b"")


def test_another_workspace_s_bot_is_not_there(home: Workspace, away: Workspace) -> None:
    bot = made(home, "deploy", "1")
    for asked in ({"bot_name": "deploy"}, {"bot_id": bot.id}):
        with pytest.raises(NotFound, match="bot_not_found"):
            resolve(away.id, **asked, chat_ids=("1",))


def test_a_removed_bot_is_not_there_and_leaves_its_name(home: Workspace) -> None:
    bot = made(home, "deploy", "1")
    with system_scope("a test"):
        bot.deleted_at = bot.created_at
        db.session.flush()
    with pytest.raises(NotFound):
        resolve(home.id, bot_id=bot.id)
    again = made(home, "Deploy", "2")
    assert resolve(home.id, bot_name="deploy").sender == again


def test_the_environment_serves_the_first_workspace_only(home: Workspace, away: Workspace, configured: None) -> None:
    by_default = resolve(home.id)
    assert (by_default.sender.source, by_default.level, by_default.chat_ids) == (
        "environment",
        "environment",
        ("-100300",),
    )
    assert resolve(home.id, bot_name="night").level == "configs"
    for name in (None, "night", "default"):
        with pytest.raises(NotFound):
            resolve(away.id, bot_name=name, chat_ids=("1",))


def test_an_entry_of_the_environment_s_list_gets_one_row_that_no_list_shows(home: Workspace, configured: None) -> None:
    first, again = resolve(home.id, bot_name="NIGHT"), resolve(home.id, bot_name="night", chat_ids=("9",))
    assert first.sender.id == again.sender.id
    assert (first.sender.source, first.sender.workspace_id, first.sender.credentials) == ("configs", home.id, TOKEN)
    assert (first.chat_ids, again.chat_ids) == (("6", "7"), ("9",))
    with pytest.raises(NotFound), workspace_scope(home.id):
        senders.get("telegram_bot", first.sender.id)
    with pytest.raises(NotFound):
        linking.bots.named(home.id, first.sender.name)


def test_one_token_is_one_row_so_that_it_keeps_one_pace(home: Workspace, away: Workspace, configured: None) -> None:
    bot = made(home, "deploy", "1", token="222222:FAKE-TOKEN-of-the-database")
    own = resolve(home.id, token="222222:FAKE-TOKEN-of-the-database", chat_ids=("9",))
    assert (own.sender, own.level, own.chat_ids) == (bot, "arguments", ("9",))
    default = linking.default_bot()
    assert resolve(home.id, token=BOT_TOKEN, chat_ids=("9",)).sender == default
    borrowed = resolve(home.id, token=TOKEN, chat_ids=("9",)).sender
    assert borrowed.source == "arguments"
    assert resolve(home.id, bot_name="night").sender.id == borrowed.id
    assert borrowed.source == "configs"
    # Another workspace shares no row.
    theirs = resolve(away.id, token="222222:FAKE-TOKEN-of-the-database", chat_ids=("9",)).sender
    assert (theirs.workspace_id, theirs.source) == (away.id, "arguments")
    assert theirs.id != bot.id


def test_a_bot_that_was_switched_off_is_neither_used_nor_in_the_way_of_its_token(home: Workspace) -> None:
    bot = made(home, "deploy", "1", is_active=False, token=TOKEN)
    with pytest.raises(Conflict, match="bot_inactive"):
        resolve(home.id, bot_name="deploy")
    with pytest.raises(Conflict, match="bot_inactive"):
        resolve(home.id, bot_id=bot.id)
    assert resolve(home.id, token=TOKEN, chat_ids=("1",)).sender.id != bot.id


def test_a_token_that_telegram_has_refused_says_so(home: Workspace) -> None:
    sender = resolve(home.id, token=TOKEN, chat_ids=("1",)).sender
    with system_scope("a test"):
        senders.disable(sender, "token_refused")
    with pytest.raises(Conflict, match="bot_inactive"):
        resolve(home.id, token=TOKEN, chat_ids=("1",))
    assert len(rows()) == 1


def test_nothing_is_stored_for_what_is_refused(home: Workspace) -> None:
    before = len(rows())
    for asked in ({"token": TOKEN}, {"token": "nonsense", "chat_ids": ("1",)}, {"token": TOKEN, "chat_ids": ("x",)}):
        with pytest.raises(Invalid):
            resolve(home.id, **asked)
    assert len(rows()) == before


def test_two_processes_that_use_a_token_for_the_first_time_make_one_row(app: Flask, home: Workspace) -> None:
    commit()
    ready = threading.Barrier(2)
    found: list[int] = []

    def use() -> None:
        with app.app_context():
            ready.wait()
            found.append(resolve(home.id, token=TOKEN, chat_ids=("1",)).sender.id)
            commit()

    both = [threading.Thread(target=use) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert len(found) == 2
    assert found[0] == found[1]


def test_a_name_is_known_where_a_bot_with_chats_has_it(home: Workspace, away: Workspace, configured: None) -> None:
    made(home, "Health", "1")
    assert knows(home.id, "health")
    assert knows(home.id, "night")
    assert not knows(home.id, "alerts")
    assert not knows(away.id, "health")
