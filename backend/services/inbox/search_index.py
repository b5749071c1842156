"""The words of messages, kept for the search in the transaction that stores, edits or deletes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core.database import UtcDateTime, db, system_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Conversation, Message, MessageWords
from backend.services.inbox import texts, words

_BATCH: Final = 500
_INDEX: Final = text(
    """
    INSERT INTO message_words (message_id, workspace_id, conversation_id, at, words)
    SELECT message_id, workspace_id, conversation_id, at, CAST(words AS tsvector)
      FROM unnest(:message_ids, :workspace_ids, :conversation_ids, :moments, :words)
        AS given(message_id, workspace_id, conversation_id, at, words)
    ON CONFLICT (message_id) DO UPDATE SET words = excluded.words, at = excluded.at,
                                           conversation_id = excluded.conversation_id
    """
).bindparams(
    bindparam("message_ids", type_=ARRAY(BigInteger)),
    bindparam("workspace_ids", type_=ARRAY(BigInteger)),
    bindparam("conversation_ids", type_=ARRAY(BigInteger)),
    bindparam("moments", type_=ARRAY(UtcDateTime)),
    bindparam("words", type_=ARRAY(Text)),
)
_FORGET: Final = text("DELETE FROM message_words WHERE message_id = ANY(:message_ids)").bindparams(
    bindparam("message_ids", type_=ARRAY(BigInteger))
)
_WHY: Final = "the rows name their workspaces themselves"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A message as the search keeps it: `text` are the words by which it is found, `at` (aware) is its moment in the
    thread."""

    message_id: int
    workspace_id: int
    conversation_id: int
    at: datetime
    text: str
    has_file: bool = False

    @classmethod
    def of(cls, message: Message) -> Indexed:
        """A message that is loaded."""
        matches, has_file = texts.searched_text(message), texts.has_file(message)
        at = message.happened_at or message.created_at
        return cls(message.id, message.workspace_id, message.conversation_id, at, matches, has_file)


def index(rows: Iterable[Indexed]) -> None:
    """Keeps the words of these messages, in place of what was kept of them: one statement, in the caller's transaction.

    The messages are of any workspaces, and the caller was allowed to write them. One without words is kept as well.
    """
    last = {row.message_id: row for row in rows}
    if not last:
        return
    # In the order of their ids: two that index the same messages never wait for each other in a ring.
    given = [last[message_id] for message_id in sorted(last)]
    values: dict[str, Any] = {
        "message_ids": [row.message_id for row in given],
        "workspace_ids": [row.workspace_id for row in given],
        "conversation_ids": [row.conversation_id for row in given],
        "moments": [row.at for row in given],
        "words": [words.tsvector(row.text, has_file=row.has_file) for row in given],
    }
    with system_scope(_WHY):
        db.session.execute(_INDEX, values)


def index_messages(messages: Iterable[Message]) -> None:
    """The same for messages that are loaded; of those that were taken back the words go."""
    given = list(messages)
    index(Indexed.of(message) for message in given if message.deleted_at is None)
    forget([message.id for message in given if message.deleted_at is not None])


def forget(message_ids: Collection[int]) -> None:
    """Takes the words of these messages out of the search."""
    if message_ids:
        with system_scope(_WHY):
            db.session.execute(_FORGET, {"message_ids": list(message_ids)})


def waiting() -> Waiting:
    """Conversations of which messages may be missing in the search."""
    return (_due(),)


def complete(turn: Turn) -> int:
    """Indexes what is missing, a batch of one conversation a transaction; returns how many messages. Commits."""
    done = 0
    while (worked := _complete_one()) is not None:
        done += worked
        if turn.is_over():
            turn.go_on_later()
            break
    return done


def _complete_one() -> int | None:
    with system_scope("conversations of all workspaces are looked through"):
        chosen = db.session.scalars(_due().order_by(Conversation.id).limit(1).with_for_update(skip_locked=True))
        conversation_id = chosen.one_or_none()
        if conversation_id is None:
            db.session.rollback()
            return None
        missing = _missing(conversation_id)
        index_messages(missing)
        if len(missing) < _BATCH:
            db.session.execute(
                update(Conversation)
                .where(Conversation.id == conversation_id)
                .values(words_due=False)
                .execution_options(synchronize_session=False)
            )
        db.session.commit()
        return len(missing)


def _missing(conversation_id: int) -> Sequence[Message]:
    known = select(MessageWords.message_id).where(MessageWords.message_id == Message.id).exists()
    query = (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.deleted_at.is_(None), ~known)
        .order_by(Message.id)
        .limit(_BATCH)
    )
    return db.session.scalars(query).all()


def _due() -> Any:
    return select(Conversation.id).where(Conversation.in_inbox, Conversation.words_due)


WORK: Final = register(Work("message_words", "background", waiting, complete))
