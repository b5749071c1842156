"""What somebody has begun to write in a conversation, kept for them on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Forbidden, Invalid, NotFound
from backend.models import ConversationDraft, Message
from backend.services import live
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access, attached

MAX_TEXT: Final = 20_000


def get(by: Attribution, conversation_id: int) -> ConversationDraft | None:
    """The person's own draft; None where they have begun nothing. Raises NotFound."""
    access.conversation(by.user_id, conversation_id)
    return db.session.scalar(
        select(ConversationDraft)
        .where(ConversationDraft.conversation_id == conversation_id, ConversationDraft.user_id == by.user_id)
        .execution_options(populate_existing=True)
    )


def put(
    by: Attribution, conversation_id: int, text: str, *, file_ids: Sequence[int] = (), reply_to: int | None = None
) -> ConversationDraft | None:
    """Keeps what the person has written so far; an empty one goes. Raises NotFound, Invalid."""
    conversation = access.conversation(by.user_id, conversation_id)
    user_id = _person(by)
    if len(text) > MAX_TEXT:
        raise Invalid.of("text", "too_long", f"A message has at most {MAX_TEXT:,} characters.")
    attached.load(file_ids)
    if reply_to is not None:
        _check_message(conversation.id, reply_to)
    if not text and not file_ids:
        discard(conversation.id, user_id)
        return None
    values = {"text": text, "file_ids": list(file_ids), "reply_to": reply_to, "updated_at": clock.now()}
    statement = insert(ConversationDraft).values(
        workspace_id=workspace_id_in_scope(), conversation_id=conversation.id, user_id=user_id, **values
    )
    statement = statement.on_conflict_do_update(index_elements=["conversation_id", "user_id"], set_=values)
    with system_scope("the row names its workspace, and its conversation was the caller's"):
        db.session.execute(statement)
    _tell(conversation.id, user_id)
    return get(by, conversation_id)


def discard(conversation_id: int, user_id: int | None) -> None:
    """Throws a person's draft away; nothing happens where there is none."""
    if user_id is None:
        return
    gone = db.session.execute(
        delete(ConversationDraft)
        .where(ConversationDraft.conversation_id == conversation_id, ConversationDraft.user_id == user_id)
        .execution_options(synchronize_session=False)
    )
    if gone.rowcount:  # type: ignore[attr-defined]
        _tell(conversation_id, user_id)


def _tell(conversation_id: int, user_id: int) -> None:
    """The person's other devices, and nobody else."""
    live.note(workspace_id_in_scope(), "drafts", only_for=user_id, conversation_id=conversation_id)


def _check_message(conversation_id: int, message_id: int) -> None:
    known = select(Message.id).where(Message.id == message_id, Message.conversation_id == conversation_id)
    if db.session.scalar(known) is None:
        raise NotFound("message_not_found", "There is no such message in this conversation.")


def _person(by: Attribution) -> int:
    if by.user_id is None:
        raise Forbidden("person_required", "Only a person can do this.")
    return by.user_id
