"""A recipient who has opened a bot of the workspace is reached there instead, if nobody objected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.channels.inbound import Chat
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid
from backend.models import Conversation, Message, Workspace
from backend.services import conversations
from backend.services.campaigns import by_bot, ledger, records
from backend.services.contacts import suppressions
from tests.support import factories
from tests.support.campaigns import Named, Rig, conversations_person


def opens_bot(rig: Rig, number: int) -> None:
    """A person of the rig starts a bot of the workspace."""
    telegram_id = str(5_000_000 + number)
    with system_scope("a test"):
        bot = factories.bot(db.session.get_one(Workspace, rig.home.id))
        person = conversations_person(telegram_id)
        conversations.find_or_create(bot, Chat(telegram_id, "private"), workspace_id=rig.home.id, person=person)
        db.session.commit()


def reach(rig: Rig, campaign: Named, place: int) -> None:
    row = rig.recipients(campaign)[place]
    with workspace_scope(rig.home.id):
        try:
            by_bot.reach(rig.actor, campaign.id, row.id)
            db.session.commit()
        finally:
            db.session.rollback()


def said_by_bot(rig: Rig) -> list[str]:
    with system_scope("a test"):
        query = select(Message).join(Conversation).where(Message.kind == by_bot.KIND)
        return [row.body["parts"][0]["text"] for row in db.session.scalars(query)]


def test_who_has_opened_the_bot_is_reached_there_and_the_account_writes_nothing_more(rig: Rig) -> None:
    campaign = rig.launch(rig.draft(rig.people(2), "Hello {first_name}", "Again"))
    opens_bot(rig, 1)
    with workspace_scope(rig.home.id):
        rows, _ = ledger.page(records.get(campaign.id), "en")
        db.session.rollback()
    assert [row["bot_conversation_id"] is not None for row in rows] == [True, False]
    reach(rig, campaign, 0)
    assert rig.states(campaign)[0] == ("finished", "by_bot")
    assert said_by_bot(rig) == ["Hello Person1"]
    rig.run(until=clock.now() + timedelta(minutes=1))
    assert rig.channel.texts() == ["Hello Person2"]
    with pytest.raises(Conflict, match="has not opened a bot"):
        reach(rig, campaign, 1)
    with pytest.raises(Conflict):
        reach(rig, campaign, 0)


def test_who_objected_is_reached_by_no_way(rig: Rig) -> None:
    people = rig.people(2)
    campaign = rig.launch(rig.draft(people, "Hello"))
    opens_bot(rig, 1)
    with workspace_scope(rig.home.id):
        suppressions.suppress_contact(factories.by("user:1"), people[0], code="opted_out", source="person")
        db.session.commit()
    with pytest.raises(Invalid):
        reach(rig, campaign, 0)
    assert said_by_bot(rig) == []
