"""Conversations and identities of many events at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import select

from backend.channels.inbound import Chat, Person
from backend.core.database import db, system_scope
from backend.models import Conversation, Identity, Sender, Workspace
from backend.services.conversations import batch, chat_hash
from backend.services.conversations.batch import Encounter
from tests.support import factories
from tests.support.talking import commit


def encounter(home: Workspace, sender: Sender, number: int, name: str = "Sam") -> Encounter:
    return Encounter(home.id, sender, Chat(str(number), "private", name=name), Person(str(number), name))


def meet(*encounters: Encounter) -> batch.Met:
    with system_scope("a test"):
        return batch.meet(encounters)


def test_those_met_for_the_first_time_are_made_and_known_afterwards(home: Workspace, sender: Sender) -> None:
    first = meet(*(encounter(home, sender, number) for number in range(6000, 6010)))
    commit()
    second = meet(*(encounter(home, sender, number) for number in range(6005, 6015)))
    assert len(first.conversations) == len(second.conversations) == 10
    with system_scope("a test"):
        assert len(db.session.execute(select(Conversation.id)).all()) == 15
        assert len(db.session.execute(select(Identity.id)).all()) == 15
    ids = {name[2]: row.id for name, row in first.conversations.items()}
    both = [row for name, row in second.conversations.items() if name[2] in ids]
    assert {row.id for row in both} == {ids[row.chat_hash] for row in both}


def test_ids_are_encrypted_for_their_own_rows(home: Workspace, sender: Sender) -> None:
    met = meet(encounter(home, sender, 6000), encounter(home, sender, 6001))
    assert sorted(row.chat_id for row in met.conversations.values()) == ["6000", "6001"]
    assert sorted(row.external_id for row in met.identities.values()) == ["6000", "6001"]


def test_names_are_followed(home: Workspace, sender: Sender) -> None:
    meet(encounter(home, sender, 6000))
    commit()
    met = meet(encounter(home, sender, 6000, "Samantha"))
    (identity,) = met.identities.values()
    (conversation,) = met.conversations.values()
    assert identity.display_name == "Samantha"
    assert met.changes[conversation.id]["title"] == "Samantha"


def test_one_chat_of_two_workspaces_is_two_conversations(home: Workspace, sender: Sender) -> None:
    other = factories.workspace()
    met = meet(encounter(home, sender, 6000), encounter(other, sender, 6000))
    hashed = chat_hash(sender.channel, sender.id, "6000")
    assert set(met.conversations) == {(home.id, sender.id, hashed), (other.id, sender.id, hashed)}
    assert len(met.identities) == 2


def test_many_batches_at_once_make_each_conversation_once(app: Flask, home: Workspace, sender: Sender) -> None:
    home_id, sender_id = home.id, sender.id
    commit()

    def run(number: int) -> int:
        with app.app_context(), system_scope("a test"):
            bot, own = db.session.get_one(Sender, sender_id), db.session.get_one(Workspace, home_id)
            order = range(6000, 6030) if number % 2 else reversed(range(6000, 6030))
            met = batch.meet([encounter(own, bot, chat) for chat in order])
            db.session.commit()
            return len(met.conversations)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(6))) == [30] * 6
    with system_scope("a test"):
        assert len(db.session.execute(select(Conversation.id)).all()) == 30
        assert len(db.session.execute(select(Identity.id)).all()) == 30
