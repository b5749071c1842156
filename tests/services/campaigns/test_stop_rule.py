"""The stop rule: who answers, reacts, calls or objects gets nothing more, in any campaign, by any identity."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.channels.inbound import Chat
from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.events import Event
from backend.models import Campaign, CampaignMessage, CampaignRecipient, ContactPoint, Sender, Suppression
from backend.services import conversations
from backend.services.contacts import unsubscribe
from backend.services.conversations.events import (
    ContactCalled,
    ContactReacted,
    ContactWrote,
    MessagesDeleted,
    OperatorWrote,
    ReadUpTo,
)
from tests.support.campaigns import Named, Rig, conversations_person


def hear(event: Event) -> None:
    """The event, as the intake publishes it."""
    with system_scope("the intake serves all workspaces"):
        events.publish(event)
        db.session.commit()


def under_way(rig: Rig, many: int = 1) -> tuple[Named, list[CampaignRecipient]]:
    """A campaign of two steps whose first messages were sent."""
    campaign = rig.draft(rig.people(many), "Hello", "Again")
    rig.launch(campaign)
    rig.run(until=clock.now() + timedelta(hours=many - 1, minutes=1))
    rows = rig.recipients(campaign)
    assert [(row.state, row.step) for row in rows] == [("sent", 2)] * many
    return campaign, rows


def message_of(row: CampaignRecipient) -> int:
    with system_scope("a test"):
        found = db.session.scalar(select(CampaignMessage.message_id).where(CampaignMessage.recipient_id == row.id))
        assert found is not None
        return found


WAYS: dict[str, Callable[[CampaignRecipient], Event]] = {
    "replied": lambda row: ContactWrote(row.conversation_id or 0, row.identity_id, 1, "Tell me more"),
    "reacted": lambda row: ContactReacted(row.conversation_id or 0, row.identity_id, None),
    "taken_over": lambda row: OperatorWrote(row.conversation_id or 0, 1),
    "opted_out": lambda row: ContactWrote(row.conversation_id or 0, row.identity_id, 1, "STOP!"),
    "conversation_deleted": lambda row: MessagesDeleted(row.conversation_id or 0, (message_of(row),)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_more_goes_out(rig: Rig, way: str) -> None:
    campaign, (row,) = under_way(rig)
    hear(WAYS[way](row))
    assert rig.states(campaign) == [("replied" if way == "replied" else "stopped", way)]
    assert rig.run(until=clock.now() + timedelta(days=20)) == []
    assert rig.channel.texts() == ["Hello"]


def test_what_the_owner_wrote_before_the_launch_takes_nothing_over(rig: Rig) -> None:
    """Until the campaign has written to the person: afterwards it is the conversation of a person."""
    before = clock.now() - timedelta(minutes=5)
    campaign = rig.launch(rig.draft(rig.people(1), "Hello", "Again"))
    (row,) = rig.recipients(campaign)
    with system_scope("a test"):
        sender = db.session.get_one(Sender, rig.account.sender_id)
        chat = conversations.find_or_create(
            sender, Chat("5000001", "private"), workspace_id=rig.home.id, person=conversations_person("5000001")
        )
        chat_id = chat.id
        db.session.commit()
    hear(OperatorWrote(chat_id, 1, before))
    assert rig.states(campaign)[0][0] == "waiting"
    rig.run(until=clock.now() + timedelta(minutes=1))
    assert rig.states(campaign) == [("sent", "previous_step")]
    hear(OperatorWrote(chat_id, 2, before))
    assert rig.states(campaign) == [("stopped", "taken_over")]
    assert row.id == rig.recipients(campaign)[0].id


def test_a_call_counts_as_an_answer(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    hear(ContactCalled(row.conversation_id or 0, row.identity_id))
    assert rig.states(campaign) == [("replied", "replied")]


def test_an_away_message_puts_the_follow_up_off_by_a_day(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    due_at = row.due_at
    hear(ContactWrote(row.conversation_id or 0, row.identity_id, 1, "I am away", is_automatic=True))
    (later,) = rig.recipients(campaign)
    assert (later.state, later.due_at) == ("sent", due_at + timedelta(days=1))
    hear(ContactWrote(row.conversation_id or 0, row.identity_id, 2, "stop", is_automatic=True))
    assert rig.states(campaign) == [("stopped", "opted_out")]


def test_an_ambiguous_word_asks_the_operator(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    hear(ContactWrote(row.conversation_id or 0, row.identity_id, 1, "No"))
    (stopped,) = rig.recipients(campaign)
    assert (stopped.state, stopped.asks_operator) == ("replied", True)
    with system_scope("a test"):
        assert db.session.scalars(select(Suppression.id)).all() == []


def test_an_opt_out_suppresses_everything_the_person_is_known_by(rig: Rig) -> None:
    _, (row,) = under_way(rig)
    hear(WAYS["opted_out"](row))
    with workspace_scope(rig.home.id):
        assert set(db.session.scalars(select(Suppression.kind))) == {"telegram_user"}
    again = rig.draft([row.contact_id], "Another")
    with pytest.raises(Exception, match="suppressed"):
        rig.launch(again)


def test_an_answer_stops_what_is_released_and_not_begun(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    clock.move(86_400)
    rig.turn()
    assert rig.states(campaign) == [("sending", "under_way")]
    hear(WAYS["replied"](row))
    assert rig.states(campaign) == [("replied", "replied")]
    assert rig.run(until=clock.now() + timedelta(days=20)) == []


def test_two_opt_outs_of_ten_pause_the_campaign(rig: Rig) -> None:
    campaign, rows = under_way(rig, 3)
    for row in rows[:2]:
        hear(WAYS["opted_out"](row))
    with workspace_scope(rig.home.id):
        paused = db.session.get_one(Campaign, campaign.id, populate_existing=True)
        assert (paused.state, paused.pause_reason) == ("paused", "complaints")
    assert rig.states(campaign)[2] == ("sent", "previous_step")


def test_a_read_mark_is_noted_and_is_not_exact(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    hear(ReadUpTo(row.conversation_id or 0, "1000"))
    assert rig.recipients(campaign)[0].read_at is None
    hear(ReadUpTo(row.conversation_id or 0, "1001"))
    (read,) = rig.recipients(campaign)
    assert read.read_at is not None
    assert not read.read_at_exact


@pytest.mark.parametrize(("up_to", "is_exact"), [("1001", True), ("1002", False)])
def test_a_read_mark_with_its_moment_is_exact_for_the_message_that_it_names(
    rig: Rig, up_to: str, is_exact: bool
) -> None:
    campaign, (row,) = under_way(rig)
    moment = clock.now() - timedelta(minutes=1)
    hear(ReadUpTo(row.conversation_id or 0, up_to, moment))
    (read,) = rig.recipients(campaign)
    assert (read.read_at, read.read_at_exact) == (moment, is_exact)


def test_the_unsubscribe_link_acts_when_it_is_told_to(rig: Rig) -> None:
    campaign, (row,) = under_way(rig)
    with workspace_scope(rig.home.id):
        point = db.session.scalar(select(ContactPoint).where(ContactPoint.contact_id == row.contact_id))
        assert point is not None
        link = unsubscribe.read(unsubscribe.link_for(point).rpartition("/")[2])
    for _ in range(2):
        unsubscribe.unsubscribe(link)
        db.session.commit()
    assert unsubscribe.is_done(link)
    assert rig.states(campaign) == [("stopped", "opted_out")]
