"""Events of a Telegram bot apart from commands: where they go, and that none of them can do harm."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select

from backend.channels.inbound import ButtonPressed, Ignored, Parked, Person
from backend.channels.telegram_bot import webhook
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Conversation, Delivery, Message, Sender, User, WebhookEvent
from backend.services import intake, senders
from tests.support.bot_api import BotApi, bot_api
from tests.support.databases import Databases
from tests.support.talking import Bot, group, somebody, status_of, token_for

ROBOT = Person("900", "Robot", is_bot=True)
PAYLOADS = sorted((Path(__file__).parents[2] / "payloads" / "telegram").glob("*.json"))


def count_of(model: type) -> int:
    with system_scope("a test"):
        return db.session.execute(select(func.count()).select_from(model)).scalar_one()


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_every_known_update_is_handled(bot: Bot, path: Path) -> None:
    for event in webhook.parse(path.read_bytes()):
        bot.hears(event)
    with system_scope("a test"):
        db.session.refresh(bot.sender)
    assert bot.sender.last_inbound_at is not None


@pytest.mark.parametrize("event", [Ignored("poll"), Parked("malformed"), ButtonPressed("1", "link:notme:1", ROBOT)])
def test_what_concerns_no_chat_is_passed_over(bot: Bot, event: object) -> None:
    bot.hears(event)  # type: ignore[arg-type]
    assert count_of(Message) == 0


def test_a_press_without_a_chat_is_still_answered(bot: Bot) -> None:
    bot.hears(ButtonPressed("1", "link:notme:1", somebody()))
    assert bot.answers() == ["This is no longer available."]


def test_a_channel_s_posts_are_passed_over(ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}", chat=group(-1009, "channel"), channel_post=True)
    assert count_of(Conversation) == 0
    assert not status_of(ada, bot.sender).enabled


def test_before_the_first_workspace_nobody_is_there_to_talk_to(app: Flask) -> None:
    with system_scope("a test"):
        sender = senders.ensure_environment_sender("telegram_bot")
        db.session.commit()
    assert sender is not None
    assert sender.workspace_id is None
    with bot_api():
        bot = Bot(sender)
        bot.says("/start")
        bot.says("/start user_1_" + "x" * 32)
        bot.says("hello", forwarded=True)
        bot.press("link:notme:1")
        bot.membership("kicked")
    assert count_of(Conversation) == count_of(Delivery) == 0


def test_an_update_goes_all_the_way_from_its_bytes_to_a_link(ada: User, sender: Sender, api: BotApi) -> None:
    update = {
        "update_id": 1,
        "message": {
            "message_id": 5,
            "date": 1_790_000_000,
            "chat": {"id": 5001, "type": "private", "first_name": "Sam"},
            "from": {"id": 5001, "is_bot": False, "first_name": "Sam", "language_code": "ko"},
            "text": f"/start {token_for(ada, sender)}",
            "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
        },
    }
    with system_scope("a test"):
        intake.store(sender, json.dumps(update).encode())
        db.session.commit()
    assert intake.drain(Turn(60.0)) == 1
    assert status_of(ada, sender).chat_id == "5001"
    with system_scope("a test"):
        assert db.session.execute(select(WebhookEvent.state)).scalar_one() == "done"
        conversation = db.session.execute(select(Conversation)).scalar_one()
    assert conversation.title == "Sam"


def test_a_group_s_administrators_are_asked_for_without_an_open_transaction(
    ada: User, sender: Sender, api: BotApi, databases: Databases
) -> None:
    open_ones: list[int] = []
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )

    def look(params: dict[str, object]) -> dict[str, object]:
        with psycopg.connect(databases.url, autocommit=True) as other:
            # The drain goes on meanwhile, with short transactions of its own: one that is open for the whole call is in
            # every sample.
            samples = [other.execute(query).fetchone() for _ in range(50)]
        open_ones.append(min(row[0] for row in samples if row is not None))
        return {"status": "creator", "user": {"id": params["user_id"], "is_bot": False, "first_name": "S"}}

    api.answers["getChatMember"] = look
    message = {
        "message_id": 5,
        "date": 1_790_000_000,
        "chat": {"id": -77, "type": "group", "title": "Team"},
        "from": {"id": 5001, "is_bot": False, "first_name": "Sam"},
        "text": f"/start@example_bot {token_for(ada, sender)}",
    }
    with system_scope("a test"):
        intake.store(sender, json.dumps({"update_id": 2, "message": message}).encode())
        db.session.commit()
    assert intake.drain(Turn(60.0)) == 1
    assert open_ones == [0]
    assert status_of(ada, sender).chat_id == "-77"
