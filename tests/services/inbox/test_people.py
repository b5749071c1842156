"""People with several ids: one identity, one conversation, one contact, whatever order and however many at once."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from backend.channels.base import Content
from backend.channels.inbound import IdentityChanged, OptOutChanged
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict
from backend.models import (
    AuditEntry,
    Contact,
    ContactPoint,
    Conversation,
    Identity,
    IdentityId,
    IdentityMerge,
    Message,
    Suppression,
)
from backend.services import conversations, delivery
from backend.services.auth.attribution import of_user
from backend.services.conversations import identities, merges
from tests.services.inbox.conftest import BSUID, NUMBER, OTHER_NUMBER, PARENT, message, person


def only(model):
    return db.session.scalars(select(model)).one()


def test_a_person_known_by_an_id_of_the_business_changes_their_number_and_stays_one(number, take):
    known_by_id = person(BSUID, PARENT)
    take(message(known_by_id, "m1", "first"))
    conversation = only(Conversation)
    assert conversation.chat_id == BSUID.id
    take(IdentityChanged(old=(BSUID,), new=(NUMBER,)))
    db.session.refresh(conversation)
    assert conversation.chat_id == NUMBER.id, "answers go to the number"
    take(message(person(BSUID), "m2", "second", minutes=1))
    take(IdentityChanged(old=(NUMBER,), new=(OTHER_NUMBER,)))
    take(message(person(OTHER_NUMBER, BSUID), "m3", "third", minutes=2))
    conversation = only(Conversation)
    assert conversation.chat_id == OTHER_NUMBER.id
    assert only(Identity).display_name == "Ada Example"
    kinds = sorted(db.session.scalars(select(IdentityId.kind)))
    assert kinds == ["number", "number", "parent_bsuid"]
    texts = [row.body["parts"][0]["text"] for row in db.session.scalars(select(Message).order_by(Message.id))]
    assert [text for text in texts if text] == ["first", "second", "third"]
    assert [row.content for row in db.session.scalars(select(Message).where(Message.kind == "system"))] == [
        {"system": {"kind": "number_changed"}}
    ] * 2
    assert (conversation.unread_count, conversation.status) == (3, "open")


def test_what_waits_for_a_person_follows_to_the_new_number(number, take):
    take(message(person(BSUID), "m1"))
    conversation = only(Conversation)
    conversation.reply_until = None
    conversation.last_inbound_at = clock.now()
    with workspace_scope(conversation.workspace_id):
        waiting = delivery.send(conversation, Content("an answer"), kind="reply", via="console")
    assert waiting.state == "queued"
    take(message(person(NUMBER, BSUID), "m2", minutes=1))
    conversation = only(Conversation)
    keys = set(db.session.scalars(select(delivery.outbox.Delivery.chat_key)))
    assert keys == {conversation.chat_key}


def test_a_body_that_names_two_people_makes_them_one_and_an_undo_two_again(number, take):
    take(message(person(BSUID), "m1", "by id"))
    take(message(person(NUMBER, phone="+4915112345678"), "m2", "by number", minutes=1))
    assert db.session.scalar(select(func.count()).select_from(Conversation)) == 2
    take(message(person(NUMBER, BSUID), "m3", "by both", minutes=2))
    merge = only(IdentityMerge)
    assert merge.reason == "same_body"
    shown = db.session.scalars(select(Conversation).where(Conversation.in_inbox)).one()
    assert shown.unread_count == 3
    said = db.session.scalars(select(Message).where(Message.conversation_id == shown.id).order_by(Message.id))
    assert [row.body["parts"][0]["text"] for row in said] == ["by id", "by number", "by both"]
    assert shown.chat_id == NUMBER.id
    with system_scope("test"):
        actions = set(db.session.scalars(select(AuditEntry.action)))
    assert "identity.merged" in actions
    # Whoever is found by either id is the one.
    same = [
        identities.find("example", each.id, workspace_id=shown.workspace_id, scope=str(number.id))
        for each in (NUMBER, BSUID)
    ]
    assert {one and one.id for one in same} == {merge.winner_id}
    with workspace_scope(shown.workspace_id):
        merges.undo(of_user(1), merge.id)
        with pytest.raises(Conflict):
            merges.undo(of_user(1), merge.id)
    db.session.commit()
    assert db.session.scalar(select(func.count()).select_from(Conversation).where(Conversation.in_inbox)) == 2
    take(message(person(NUMBER, BSUID), "m4", "again", minutes=3))
    assert db.session.scalar(select(func.count()).select_from(IdentityMerge)) == 1, "a member holds them apart"


def test_many_at_once_by_different_ids_make_one_person(app, number):
    home, sender_id = number.workspace_id, number.id
    db.session.commit()
    barrier = threading.Barrier(4, timeout=20)
    given = [person(BSUID), person(NUMBER, BSUID), person(BSUID, PARENT), person(NUMBER, BSUID, PARENT)]
    failures: list[Exception] = []

    def meet(who):
        with app.app_context(), system_scope("test"):
            sender = db.session.get_one(type(number), sender_id)
            barrier.wait()
            try:
                event = message(who, "m")
                conversations.find_or_create(sender, event.chat, workspace_id=home, person=who)
                db.session.commit()
            except Exception as error:  # noqa: BLE001 - every failure is shown below
                failures.append(error)
                db.session.rollback()

    threads = [threading.Thread(target=meet, args=(who,)) for who in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    live = db.session.scalars(select(Identity).where(Identity.merged_into_id.is_(None))).all()
    assert len(live) == 1
    assert len(db.session.scalars(select(Conversation).where(Conversation.identity_id == live[0].id)).all()) == 1


def test_the_first_message_makes_a_contact_with_the_number_that_it_came_from(number, take):
    take(message(person(NUMBER, phone="+4915112345678"), "m1"))
    contact, identity = only(Contact), only(Identity)
    assert (contact.first_name, contact.last_name, contact.source) == ("Ada", "Example", "message")
    assert identity.contact_id == contact.id
    point = only(ContactPoint)
    assert (point.kind, point.value, point.is_primary) == ("phone", "+4915112345678", True)
    take(message(person(NUMBER, phone="+4915112345678"), "m2", minutes=1))
    assert only(Contact).id == contact.id


def test_a_contact_with_the_persons_number_is_theirs(number, take):
    from backend.services.contacts import records

    with workspace_scope(number.workspace_id):
        mine = records.create(of_user(1), {"first_name": "Grace", "phone": "+4915112345678"})
        db.session.commit()
    take(message(person(NUMBER, phone="+4915112345678"), "m1"))
    assert only(Identity).contact_id == mine.id
    assert only(Contact).first_name == "Grace"


def test_who_wants_to_hear_nothing_is_suppressed_under_all_ids_and_those_to_come(number, take):
    take(message(person(BSUID), "m1"))
    take(message(person(BSUID), "m2", "수신거부", minutes=1))
    known = set(map(bytes, db.session.scalars(select(Suppression.external_hash))))
    assert known == set(identities.hashes_of(only(Identity).id))
    take(message(person(NUMBER, BSUID), "m3", "hello again", minutes=2))
    assert set(identities.hashes_of(only(Identity).id)) <= set(
        map(bytes, db.session.scalars(select(Suppression.external_hash)))
    )


def test_an_opt_out_at_the_provider_and_its_end(number, take):
    who = person(NUMBER, phone="+4915112345678")
    first = message(who, "m1")
    take(first, OptOutChanged(first.chat, who, opted_out=True))
    assert db.session.scalar(select(func.count()).select_from(Suppression)) == 2
    take(OptOutChanged(first.chat, who, opted_out=False))
    assert db.session.scalar(select(func.count()).select_from(Suppression)) == 0
    take(OptOutChanged(first.chat, who, opted_out=True, topic="marketing"))
    assert db.session.scalar(select(func.count()).select_from(Suppression)) == 0, "only marketing ends"
