"""What features store is noted, whichever way they store it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from backend.channels.base import Content
from backend.core.database import db, system_scope, workspace_scope
from backend.models import LiveEvent, User
from backend.services import delivery, linking, live
from backend.services.live import table_watch
from backend.services.notifications import failures, reporting
from backend.services.senders import state
from tests.http import callers
from tests.support import factories

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def person() -> User:
    made = factories.user()
    quiet()
    return made


def quiet() -> None:
    """Stores what a test has made, and forgets what was noted of it."""
    callers.commit()
    with system_scope("test"):
        db.session.execute(delete(LiveEvent))
        db.session.commit()


def noted() -> list[tuple[str, dict[str, Any]]]:
    """What the present transaction notes."""
    callers.commit()
    with system_scope("test"):
        rows = db.session.execute(select(LiveEvent).order_by(LiveEvent.id)).scalars().all()
        found = [(row.topic, row.ids) for row in rows]
        quiet()
    return found


def test_a_message_is_noted_when_it_is_made_and_whenever_its_state_changes(person):
    chat = factories.conversation(db.session.get_one(factories.Workspace, person.workspace_id), factories.bot())
    quiet()
    ids = {"conversation_id": chat.id}
    with workspace_scope(person.workspace_id):
        message = delivery.send(chat, Content("hello"), kind="test")
        db.session.commit()
        ids |= {"message_id": message.id}
        assert noted() == [("messages", ids)]
        delivery.edit(message, Content("hello again"))
        assert noted() == [("messages", ids)]
        delivery.cancel(message, "unlinked")
        assert noted() == [("messages", ids)]
        message.user_id = person.id
        assert noted() == [], "nobody looks at that"


def test_an_event_and_its_message_are_noted_together(person):
    bot = linking.default_bot()
    assert bot is not None
    factories.link(person, bot)
    quiet()
    with workspace_scope(person.workspace_id):
        event = reporting.report(factories.by("cli"), "post_success", person, {"platform": "instagram"})
        found = noted()
    assert ("events", {"event_id": event.id, "user_id": person.id}) in found
    assert [topic for topic, _ in found].count("messages") == 1


def test_links_are_noted_as_they_come_rest_and_go(person):
    link = factories.link(person, factories.bot())
    expected = [("links", {"user_id": person.id, "bot_id": link.sender_id})]
    assert noted() == expected
    linking.links.disable_chat(link.sender_id, link.chat_hash, "bot_blocked")
    assert noted() == expected
    linking.links.unlink(factories.by("cli"), link, with_notice=False)
    assert [one for one in noted() if one[0] == "links"] == expected


def test_a_bots_standing_and_the_job_history_are_noted(person):
    bot = factories.bot(db.session.get_one(factories.Workspace, person.workspace_id))
    quiet()
    with system_scope("test"):
        state.disable(bot, "token_refused")
        found = noted()
    assert ("bots", {"bot_id": bot.id}) in found
    assert "jobs" in dict(found)
    bot.last_inbound_at = bot.created_at
    assert noted() == []
    with workspace_scope(person.workspace_id):
        failures.remember(person.workspace_id, "gave_up", "messages:1", bot.created_at)
        assert [topic for topic, _ in noted()] == ["jobs"]


def test_what_belongs_to_no_workspace_is_not_noted():
    factories.bot()
    assert noted() == []


def test_a_feature_may_keep_its_rows_to_one_person(person, monkeypatch):
    monkeypatch.setitem(table_watch._watched, User, table_watch._watched[User])
    live.watch(User, "people", ids={"user_id": "id"}, only_for="id")
    with system_scope("test"):
        person.name = "Kim"
        db.session.commit()
        row = db.session.execute(select(LiveEvent)).scalar_one()
    assert (row.topic, row.only_for) == ("people", person.id)


@pytest.mark.parametrize("model", table_watch._watched, ids=lambda model: model.__name__)
def test_what_is_watched_exists(model):
    watched = table_watch._watched[model]
    columns = set(model.__mapper__.column_attrs.keys())
    assert {attribute for _, attribute in watched.ids} | watched.fields <= columns
    assert f"`{watched.topic}`" in (Path(__file__).parents[3] / "docs" / "live.md").read_text(encoding="utf-8")
