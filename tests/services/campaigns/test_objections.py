"""Who objects hears nothing more: in whatever words and on whatever channel, from the commit of it on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.channels.inbound import Chat, Person
from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Identity, Sender, Suppression, Workspace
from backend.services import conversations
from backend.services.contacts import settings, suppressions
from backend.services.contacts.identifiers import Identifier
from backend.services.conversations.events import ContactWrote
from tests.support import accounts, engine, factories
from tests.support.campaigns import PROFILE, Named, Rig

OTHER_ID = "6001234"


def writes(
    rig: Rig, text: str, telegram_id: str, *, channel: str = "telegram_bot", contact_id: int | None = None
) -> None:
    """A person writes to another sender of the workspace: a bot, or one of another channel."""
    with system_scope("a test"):
        home = db.session.get_one(Workspace, rig.home.id)
        sender = factories.bot(home) if channel == "telegram_bot" else _sender(home, channel)
        chat = conversations.find_or_create(
            sender, Chat(telegram_id, "private"), workspace_id=home.id, person=Person(telegram_id, "Somebody")
        )
        if contact_id is not None:
            db.session.get_one(Identity, chat.identity_id).contact_id = contact_id
        db.session.flush()
        events.publish(ContactWrote(chat.id, chat.identity_id, 1, text))
        db.session.commit()


def _sender(home: Workspace, channel: str) -> Sender:
    made = Sender(workspace_id=home.id, channel=channel, name=channel, created_at=clock.now())
    db.session.add(made)
    db.session.flush()
    return made


def suppressed(rig: Rig) -> set[str]:
    with workspace_scope(rig.home.id):
        return set(db.session.scalars(select(Suppression.kind)))


def own_words(rig: Rig, *words: str) -> None:
    with workspace_scope(rig.home.id):
        settings.change(factories.by("user:1"), {"opt_out_words": list(words)})
        db.session.commit()


@pytest.mark.parametrize("text", ["수신거부", "그만", "그만!!", "No More Flats."])
def test_the_words_of_a_workspace_and_the_known_ones_count_in_a_bots_chat_too(rig: Rig, text: str) -> None:
    own_words(rig, "no more flats")
    campaign = rig.launch(rig.draft(rig.people(2), "Hello", "Again"))
    writes(rig, text, "5000001")
    assert rig.states(campaign)[0] == ("stopped", "opted_out")
    assert rig.states(campaign)[1][0] == "waiting"
    assert suppressed(rig) == {"telegram_user"}


def test_an_objection_on_another_channel_holds_for_every_identity_of_the_person(rig: Rig) -> None:
    """The person is known by a Telegram id and, on a channel with ids of its own, linked with the contact."""
    campaign = rig.launch(rig.draft([rig.person(1, phone="+12025550123")], "Hello"))
    writes(rig, "stop", OTHER_ID, channel="messenger", contact_id=rig.recipients(campaign)[0].contact_id)
    assert rig.states(campaign) == [("stopped", "opted_out")]
    assert suppressed(rig) == {"messenger", "phone", "telegram_user"}
    assert rig.run(until=clock.now() + timedelta(days=2)) == []


def test_who_is_in_no_campaign_is_suppressed_and_a_member_is_not(rig: Rig) -> None:
    writes(rig, "unsubscribe", OTHER_ID)
    assert suppressed(rig) == {"telegram_user"}
    with system_scope("a test"):
        identity = db.session.scalars(select(Identity)).one()
        identity.user_id = rig.actor.user_id
        suppressions.lift_by_person(factories.by("user:1"), Identifier("telegram_user", OTHER_ID))
        db.session.commit()
        events.publish(ContactWrote(1, identity.id, 1, "unsubscribe"))
        db.session.commit()
    assert suppressed(rig) == set()


def test_an_ordinary_answer_of_a_stranger_changes_nothing(rig: Rig) -> None:
    own_words(rig, "no more flats")
    writes(rig, "How do I stop the machine?", OTHER_ID)
    writes(rig, "no", "6001235")
    assert suppressed(rig) == set()


def test_what_is_committed_before_the_first_byte_keeps_it_back(rig: Rig) -> None:
    """Two campaigns from two accounts have given their messages to the outbox; nobody told either of them."""
    people = rig.people(2)
    first = rig.launch(rig.draft(people, "Hello"))
    with system_scope("a test"):
        other = accounts.account(
            db.session.get_one(Workspace, rig.home.id), None, 777002, accounts.SESSION + "1", caught_up_at=clock.now()
        )
        other_id = other.sender_id
        other.owner_user_id = rig.actor.user_id
        db.session.commit()
    rig.turn()
    assert [state for state, _ in rig.states(first)] == ["sending", "waiting"]
    with workspace_scope(rig.home.id):
        for contact_id in people:
            suppressions.suppress_contact(factories.by("person"), contact_id, code="opted_out", source="person")
        db.session.commit()
    with engine.dispatching(rig.app, profile=PROFILE):
        rig.run(until=clock.now() + timedelta(days=2))
    assert rig.channel.texts() == []
    assert set(rig.states(first)) == {("skipped", "suppressed")}
    again: Named = rig.draft(people, "Again", account_id=other_id)
    with pytest.raises(Exception, match="suppressed"):
        rig.launch(again)


@pytest.mark.parametrize("days", [0, 3])
def test_a_person_hears_of_a_second_campaign_after_the_days_that_the_workspace_chose(rig: Rig, days: int) -> None:
    with workspace_scope(rig.home.id):
        settings.change(factories.by("user:1"), {"quiet_days": days})
        db.session.commit()
    people = rig.people(1)
    rig.launch(rig.draft(people, "First"))
    (first,) = rig.run()
    second = rig.launch(rig.draft(people, "Second"))
    if days:
        assert rig.run(until=first + timedelta(hours=1, minutes=1)) == []
        assert rig.states(second) == [("waiting", "recently_contacted")]
    (later,) = rig.run()
    wait = timedelta(days=days) if days else timedelta(hours=1)
    assert timedelta(0) <= later - first - wait < timedelta(minutes=1)
