"""Notes: what people of a workspace tell each other about a conversation. Nothing sends them, no model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from backend.core import clock, events
from backend.core.database import db, workspace_id_in_scope
from backend.core.errors import Forbidden, Invalid, NotFound
from backend.models import ConversationNote, User
from backend.services import live, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access
from backend.services.inbox.events import PersonMentioned

MAX_TEXT: Final = 5_000
MAX_MENTIONS: Final = 20


def listing(
    user_id: int | None, conversation_id: int, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[ConversationNote], str | None]:
    """The notes of a conversation, the newest first. Raises NotFound."""
    access.conversation(user_id, conversation_id)
    query = select(ConversationNote).where(
        ConversationNote.conversation_id == conversation_id, ConversationNote.deleted_at.is_(None)
    )
    return paging.page(query, ConversationNote.id, cursor=cursor, limit=limit)


def add(by: Attribution, conversation_id: int, text: str, mentions: Sequence[int] = ()) -> ConversationNote:
    """Adds a note; who is mentioned is told. Raises NotFound, and Invalid (mention_unknown: nobody who may see it)."""
    conversation = access.conversation(by.user_id, conversation_id)
    wanted = text.strip()
    if not wanted or len(wanted) > MAX_TEXT:
        raise Invalid.of("text", "note_length", f"A note has 1 to {MAX_TEXT:,} characters.")
    named = list(dict.fromkeys(mentions))
    if len(named) > MAX_MENTIONS:
        raise Invalid.of("mentions", "too_many", f"A note names at most {MAX_MENTIONS} people.")
    _check_mentions(conversation.id, named)
    note = ConversationNote(
        conversation_id=conversation.id,
        author_user_id=by.user_id,
        text=wanted,
        mentions=named,
        created_at=clock.now(),
    )
    db.session.add(note)
    db.session.flush()
    audit.record(by, "conversation.note_added", f"conversation:{conversation.id}", note_id=note.id)
    live.note(workspace_id_in_scope(), "notes", conversation_id=conversation.id, note_id=note.id)
    for user_id in named:
        if user_id != by.user_id:
            events.publish(PersonMentioned(workspace_id_in_scope(), conversation.id, note.id, user_id, by.user_id))
    return note


def remove(by: Attribution, conversation_id: int, note_id: int, *, is_admin: bool = False) -> None:
    """Takes a note back: its author may, and an admin. Its words go. Raises NotFound, Forbidden (not_the_author)."""
    access.conversation(by.user_id, conversation_id)
    note = db.session.scalar(
        select(ConversationNote)
        .where(ConversationNote.id == note_id, ConversationNote.conversation_id == conversation_id)
        .where(ConversationNote.deleted_at.is_(None))
        .with_for_update()
    )
    if note is None:
        raise NotFound("note_not_found", "There is no such note.")
    if note.author_user_id != by.user_id and not is_admin:
        raise Forbidden("not_the_author", "Only who wrote a note, or an admin, takes it back.")
    note.text, note.mentions, note.deleted_at = "", [], clock.now()
    db.session.flush()
    audit.record(by, "conversation.note_deleted", f"conversation:{conversation_id}", note_id=note.id)
    live.note(workspace_id_in_scope(), "notes", conversation_id=conversation_id, note_id=note.id)


def _check_mentions(conversation_id: int, user_ids: Sequence[int]) -> None:
    """Who is mentioned is a person here and may see the conversation."""
    query = select(User.id).where(User.id.in_(user_ids), User.disabled_at.is_(None), User.password_hash.is_not(None))
    known = set(db.session.scalars(query)) if user_ids else set()
    for user_id in user_ids:
        try:
            if user_id not in known:
                raise NotFound
            access.conversation(user_id, conversation_id)
        except NotFound:
            raise Invalid.of("mentions", "mention_unknown", "Somebody who is mentioned is not here.") from None
