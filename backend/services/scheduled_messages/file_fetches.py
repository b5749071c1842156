"""What becomes of a fire's messages that wait for a picture or a document given as an address.

The messages of a fire are stored at once and wait, with the address in their text. When the file is there they go out
with it; when it cannot be fetched, or nobody fetches it in time, they go out as they are. So each goes out once.
"""

from __future__ import annotations

from typing import Final, cast

from sqlalchemy import select

from backend.channels.base import Content, MediaKind
from backend.core import events
from backend.core.database import db
from backend.models import Message, ScheduleFire
from backend.services import delivery, files, job_history
from backend.services.files import FileFetched, FileFetchFailed

OWNER: Final = "schedule_fire"
"""What fires are called where files are fetched for them."""
CAPTION: Final = "caption"
"""Where a fire's result keeps the words under the file, until they are said."""


def on_fetched(fetched: FileFetched) -> None:
    """Lets the messages go with the file; throws it away where all of them went out or ended meanwhile."""
    fire = _locked(fetched.owner_id) if fetched.owner_kind == OWNER else None
    if fire is not None:
        file = files.get(fetched.file_id)
        media = files.as_media(file, cast(MediaKind, fetched.kind))
        content = Content((fire.result or {}).get(CAPTION, ""), media=(media,))
        released = [delivery.release(message, content) for message in _messages_of(fire)]
        _forget_caption(fire)
        if any(released):
            return
    if fetched.owner_kind == OWNER:
        files.discard(fetched.file_id)


def on_fetch_failed(failed: FileFetchFailed) -> None:
    """Lets the messages go with the address in their text, and notes why."""
    fire = _locked(failed.owner_id) if failed.owner_kind == OWNER else None
    if fire is None:
        return
    for message in _messages_of(fire):
        delivery.release(message)
    _forget_caption(fire)
    job_history.record_failure(
        "scheduled_message",
        "attachment_failed",
        f"schedule_fires:{fire.id}",
        workspace_id=fire.workspace_id,
        detail=failed.code,
    )


def _locked(fire_id: int) -> ScheduleFire | None:
    fire: ScheduleFire | None = db.session.get(ScheduleFire, fire_id, with_for_update=True, populate_existing=True)
    return fire


def _forget_caption(fire: ScheduleFire) -> None:
    fire.result = {name: value for name, value in (fire.result or {}).items() if name != CAPTION}
    db.session.flush()


def _messages_of(fire: ScheduleFire) -> list[Message]:
    ids = sorted(int(message_id) for message_id in (fire.result or {}).get("message_ids", ()))
    messages = db.session.scalars(select(Message).where(Message.id.in_(ids)).order_by(Message.id))
    return list(messages.all())


events.subscribe(FileFetched, on_fetched)
events.subscribe(FileFetchFailed, on_fetch_failed)
