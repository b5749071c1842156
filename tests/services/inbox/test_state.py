"""The state of conversations: what people, members, assistants and time change."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict
from backend.models import Conversation, ConversationShare, LiveEvent, Message, User, Workspace
from backend.services.conversations.visibility import visible_to
from backend.services.inbox import assistants, inbound_state, state
from backend.services.inbox.inbound_state import Inbound, Window
from tests.support import factories


@pytest.fixture
def talk(app):
    """A conversation outside of the inbox, in its workspace's scope."""
    with system_scope("test"):
        home = factories.workspace()
        bot = factories.bot(home)
        chat = factories.conversation(home, bot)
        db.session.commit()
    with workspace_scope(home.id):
        yield chat


@contextmanager
def statements():
    """The statements that are carried out inside."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def receive(chat: Conversation, message_id: int, *, minutes: int = 0, window: Window | None = None) -> None:
    item = Inbound(chat.id, chat.workspace_id, chat.sender_id, chat.channel)
    item.add(message_id, clock.now() + timedelta(minutes=minutes), window)
    inbound_state.write_one(item, chat)


def member(chat: Conversation) -> User:
    with system_scope("test"):
        return factories.user(db.session.get_one(Workspace, chat.workspace_id))


def answer(chat: Conversation, via: str, author: int | None = None) -> Message:
    message = Message(id=99, via=via, author_user_id=author, created_at=clock.now())
    state.note_outbound(chat, message)
    return message


def test_the_first_message_brings_a_conversation_into_the_inbox_for_people(talk):
    receive(talk, 5)
    assert (talk.in_inbox, talk.status, talk.unread_count, talk.last_message_id) == (True, "open", 1, 5)
    assert talk.waiting_since == talk.first_inbound_at == talk.last_activity_at
    receive(talk, 6, minutes=1)
    assert (talk.unread_count, talk.last_message_id) == (2, 6)
    assert talk.waiting_since < talk.last_activity_at


def test_an_older_message_that_comes_later_is_not_the_last_one(talk):
    receive(talk, 5)
    receive(talk, 6, minutes=-10)
    assert (talk.last_message_id, talk.unread_count) == (5, 2)
    assert talk.first_inbound_at < talk.last_activity_at


def test_where_an_assistant_answers_it_is_the_assistants(talk):
    assistants.register(lambda workspace_id, sender_id: sender_id == talk.sender_id)
    try:
        receive(talk, 5)
        assert talk.status == "bot"
        answer(talk, "assistant")
        assert (talk.status, talk.waiting_since) == ("bot", None)
        answer(talk, "provider")
        assert (talk.status, talk.unread_count) == ("waiting", 0)
        receive(talk, 6)
        assert talk.status == "open", "a person answers now"
        state.hand_back(talk)
        assert (talk.status, talk.assignee_id) == ("bot", None)
        state.take_over(talk, None)
        assert talk.status == "open"
    finally:
        assistants.unregister()
    with pytest.raises(Conflict, match="No assistant"):
        state.hand_back(talk)


def test_an_automatic_answer_is_no_answer(talk):
    receive(talk, 5)
    answer(talk, "notification")
    assert (talk.status, talk.last_message_id) == ("open", 5)
    assert talk.waiting_since is not None


def test_an_answer_of_a_person_makes_it_wait_for_the_other_side(talk):
    receive(talk, 5)
    with system_scope("test"):
        kim = member(talk)
    answer(talk, "console", kim.id)
    assert (talk.status, talk.assignee_id, talk.waiting_since) == ("waiting", kim.id, None)
    assert talk.answered_at is not None
    receive(talk, 6)
    assert (talk.status, talk.assignee_id) == ("open", kim.id)


def test_a_snooze_ends_with_the_next_message_or_its_moment(talk):
    receive(talk, 5)
    state.snooze(talk, clock.now() + timedelta(hours=1))
    assert talk.status == "snoozed"
    receive(talk, 6)
    assert (talk.status, talk.snoozed_until) == ("open", None)
    answer(talk, "console")
    state.snooze(talk, until_reply=True)
    assert talk.snoozed_until_reply
    state.wake(talk)
    assert (talk.status, talk.snoozed_until_reply) == ("waiting", False)
    state.close(talk)
    with pytest.raises(Conflict):
        state.snooze(talk, until_reply=True)
    receive(talk, 7)
    assert talk.status == "open"


def test_a_window_that_the_provider_closed_opens_with_the_next_message(talk):
    now = clock.now()
    receive(talk, 5, window=Window(now + timedelta(hours=23), "message_24h"))
    assert talk.remind_at == talk.reply_until - timedelta(hours=1)
    state.close_window(talk)
    assert talk.reply_until <= clock.now()
    assert (talk.reply_reason, talk.remind_at) == ("closed", None)
    receive(talk, 6, window=Window(now + timedelta(hours=24), "message_24h"))
    assert (talk.reply_reason, talk.reply_until) == ("message_24h", now + timedelta(hours=24))


def test_a_batch_is_one_statement_and_tells_live_connections(talk):
    item = Inbound(talk.id, talk.workspace_id, talk.sender_id, talk.channel)
    for number in range(5):
        item.add(10 + number, clock.now())
    with statements() as counted:
        inbound_state.write([item])
    assert len(counted) == 1
    db.session.commit()
    with system_scope("test"):
        topics = db.session.scalars(
            select(LiveEvent.topic).where(LiveEvent.ids["conversation_id"].astext == str(talk.id))
        )
        assert "conversations" in set(topics)


def test_who_may_see_a_chat_of_a_persons_account_hears_of_it_and_nobody_else(talk):
    with system_scope("test"):
        owner, guest, other = (member(talk) for _ in range(3))
        chat = db.session.get_one(Conversation, talk.id)
        chat.owner_user_id, chat.visibility, chat.in_inbox = owner.id, "owner", True
        db.session.commit()

    def seen_by(user_id: int | None) -> bool:
        query = select(Conversation.id).where(Conversation.id == talk.id, visible_to(user_id))
        return db.session.scalar(query) is not None

    def told() -> set[int | None]:
        with system_scope("test"):
            db.session.query(LiveEvent).delete()
            chat = db.session.get_one(Conversation, talk.id)
            chat.unread_count += 1
            db.session.commit()
            return set(db.session.scalars(select(LiveEvent.only_for)))

    assert [seen_by(user) for user in (owner.id, guest.id, other.id, None)] == [True, False, False, False]
    assert told() == {owner.id}
    with system_scope("test"):
        talk.visibility = "people"
        row = ConversationShare(
            workspace_id=talk.workspace_id, conversation_id=talk.id, user_id=guest.id, created_at=clock.now()
        )
        db.session.add(row)
        db.session.commit()
    assert [seen_by(user) for user in (owner.id, guest.id, other.id, None)] == [True, True, False, False]
    assert told() == {owner.id, guest.id}
    with system_scope("test"):
        talk.visibility = "workspace"
        db.session.commit()
    assert seen_by(None)
    assert told() == {None}
