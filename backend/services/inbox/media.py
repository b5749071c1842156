"""Files of inbound messages: a row each, fetched at once where the provider keeps them only for a while.

What a provider keeps for good (Telegram) stays `remote` until somebody asks for it. Rows say what became of them:
`waiting`, `stored`, `too_large`, `unavailable` (the provider has it no more) or `failed`, with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from backend.channels.inbound import ReceivedMedia
from backend.core import bulk, clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict
from backend.models import Conversation, Message, MessageFile, StoredFile
from backend.services import files, live
from backend.services.conversations.hashing import family_of
from backend.services.files.events import FileFetched, FileFetchFailed

OWNER: Final = "message_file"
MAX_TRIES: Final = 5
_TOO_LARGE: Final = frozenset({"file_too_large", "response_too_large"})
_GONE: Final = frozenset({"file_gone", "http_404", "http_410"})


def note_received(message: Message, conversation: Conversation, media: Sequence[ReceivedMedia]) -> None:
    """Stores the rows of a message's files and asks for those that do not stay at the provider, in the caller's
    transaction."""
    rows = rows_of(message.id, conversation, media)
    if not rows:
        return
    with system_scope("rows that name their workspace"):
        bulk.insert_many(MessageFile, rows)
    if rows[0]["state"] == "waiting":
        with workspace_scope(conversation.workspace_id):
            for row, file in zip(rows, media, strict=True):
                source = files.Source(file.external_file_id, conversation.sender_id)
                files.request(OWNER, row["id"], source, "document", max_tries=MAX_TRIES)


def rows_of(message_id: int, conversation: Conversation, media: Sequence[ReceivedMedia]) -> list[dict[str, Any]]:
    """The rows of a message's files, with ids that are taken for them."""
    if not media:
        return []
    state = "remote" if family_of(conversation.channel) == "telegram" else "waiting"
    with system_scope("a sequence is no workspace's"):
        ids = bulk.reserve_ids(MessageFile, len(media))
    return [
        row_of(file_id, message_id, position, conversation.workspace_id, file, state)
        for position, (file_id, file) in enumerate(zip(ids, media, strict=True))
    ]


def row_of(
    file_id: int, message_id: int, position: int, workspace_id: int, file: ReceivedMedia, state: str
) -> dict[str, Any]:
    """The row of one file of a message."""
    # Never added to the session: it only encrypts the id for the row that is about to be inserted.
    encrypting = MessageFile(id=file_id)
    encrypting.external_file_id = file.external_file_id
    return {
        "id": file_id,
        "workspace_id": workspace_id,
        "message_id": message_id,
        "position": position,
        "kind": file.kind,
        "state": state,
        "filename": files.safe_name(file.filename) if file.filename else None,
        "mime": file.mime,
        "size": file.size,
        "external_file_id_encrypted": encrypting.external_file_id_encrypted,
        "created_at": clock.now(),
    }


def fetch(file: MessageFile) -> None:
    """Has a file fetched that was not, or could not be, in the workspace's scope. Raises Conflict: already_stored,
    not_at_provider."""
    if file.state == "stored":
        raise Conflict("already_stored", "The file is stored.")
    if file.external_file_id is None:
        raise Conflict("not_at_provider", "The provider has no such file.")
    sender_id = db.session.scalar(select(Message.sender_id).where(Message.id == file.message_id))
    file.state, file.reason = "waiting", None
    db.session.flush()
    files.request(OWNER, file.id, files.Source(file.external_file_id, sender_id), "document", max_tries=MAX_TRIES)
    _tell(file)


def on_file_fetched(event: FileFetched) -> None:
    """A file is stored."""
    if event.owner_kind != OWNER:
        return
    file = _locked(event.owner_id)
    stored = db.session.get(StoredFile, event.file_id)
    if stored is None:
        return
    if file is None:
        files.discard(stored.id)
        return
    file.file_id, file.state, file.reason = stored.id, "stored", None
    file.mime, file.size = stored.mime, stored.size
    if file.filename:
        stored.filename = file.filename
    db.session.flush()
    _tell(file)


def on_file_fetch_failed(event: FileFetchFailed) -> None:
    """A file did not come; it can be asked for again."""
    if event.owner_kind != OWNER:
        return
    file = _locked(event.owner_id)
    if file is None:
        return
    file.state = "too_large" if event.code in _TOO_LARGE else "unavailable" if event.code in _GONE else "failed"
    file.reason = event.code
    db.session.flush()
    _tell(file)


def _locked(file_id: int) -> MessageFile | None:
    query = select(MessageFile).where(MessageFile.id == file_id).with_for_update()
    return db.session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def _tell(file: MessageFile) -> None:
    conversation_id = db.session.scalar(select(Message.conversation_id).where(Message.id == file.message_id))
    live.note(file.workspace_id, "messages", message_id=file.message_id, conversation_id=conversation_id)


events.subscribe(FileFetched, on_file_fetched)
events.subscribe(FileFetchFailed, on_file_fetch_failed)
