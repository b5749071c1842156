"""Messages, edits, deletions, reactions and read marks in any order end in the same thread."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from backend.channels.inbound import Chat, MessageDeleted, ReactionChanged
from backend.core.database import db
from backend.models import Conversation, Message, MessageReaction, MessageVersion, PendingReceipt
from tests.services.inbox.conftest import NUMBER, START, message, person

WHO = person(NUMBER)
CHAT = Chat(WHO.id, "private")


def at(minutes: float) -> Any:
    return START + timedelta(minutes=minutes)


EVENTS = [
    message(WHO, "a", "first", minutes=0),
    message(WHO, "b", "second", minutes=1),
    message(WHO, "c", "third", minutes=2),
    message(WHO, "a", "first, corrected", minutes=3, edited=True),
    message(WHO, "a", "first, corrected twice", minutes=4, edited=True),
    MessageDeleted(("b",), CHAT, at(5)),
    ReactionChanged(CHAT, WHO, "c", "👍", at(6)),
    ReactionChanged(CHAT, WHO, "c", "❤", at(7)),
    ReactionChanged(CHAT, WHO, "a", "🎉", at(6)),
    ReactionChanged(CHAT, WHO, "a", None, at(8)),
]


def thread() -> dict[str, Any]:
    """What a reader of the thread sees."""
    moment = text("coalesce(happened_at, created_at)")
    rows = db.session.scalars(select(Message).order_by(moment, Message.id)).all()
    versions: dict[int, list[str]] = {}
    for row in db.session.scalars(select(MessageVersion).order_by(MessageVersion.message_id, MessageVersion.version)):
        versions.setdefault(row.message_id, []).append(row.body["parts"][0]["text"])
    reactions = {row.message_id: row.reaction for row in db.session.scalars(select(MessageReaction))}
    chat = db.session.scalars(select(Conversation)).one()
    last = db.session.get_one(Message, chat.last_message_id)
    return {
        "messages": [
            (
                row.external_id,
                row.body["parts"][0]["text"],
                versions.get(row.id, []),
                reactions.get(row.id),
                row.deleted_at,
                row.edited_at,
            )
            for row in rows
        ],
        "unread": chat.unread_count,
        "last": last.external_id,
        "first_at": chat.first_inbound_at,
        "activity": chat.last_activity_at,
        "waiting": db.session.scalars(select(PendingReceipt.id)).all(),
    }


EXPECTED = [
    ("a", "first, corrected twice", ["first", "first, corrected"], None, None, at(4)),
    ("b", "second", [], None, at(5), None),
    ("c", "third", [], "❤", None, None),
]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=3))
def test_any_order_ends_in_the_same_thread(number, take, settle, order, again):
    for model in (PendingReceipt, Message, Conversation):
        db.session.execute(delete(model).execution_options(synchronize_session=False))
    db.session.commit()
    db.session.expunge_all()
    sender = db.session.merge(number, load=True)
    assert sender.id == number.id
    take(*order, *again)
    settle()
    seen = thread()
    assert seen["messages"] == EXPECTED
    assert (seen["unread"], seen["last"], seen["waiting"]) == (3, "c", [])
    assert (seen["first_at"], seen["activity"]) == (at(0), at(2))
