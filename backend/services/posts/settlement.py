"""Settles posts that were begun, by the outbox, the webhooks' log, and the threads still at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import exists as has_row
from sqlalchemy import or_, select
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.locking import advisory_lock
from backend.core.logging import get_logger
from backend.core.work import Waiting
from backend.models import Conversation, Message, OutgoingDelivery, Post
from backend.services.posts import outcomes, publishers
from backend.services.posts import queries as reading
from backend.services.posts.publishers import telegram

log = get_logger(__name__)

_BATCH: Final = 100


def lock_of(post_id: int) -> str:
    """The advisory lock of whoever attends to a post."""
    return f"post:{post_id}"


def waiting() -> Waiting:
    """Posts to settle; orphans count while somebody may still be at them."""
    return _of_ended_messages(), _unanswered(), _called()


def settle() -> int:
    """Ends the posts whose outcome can be told now; how many. Commits after each."""
    with system_scope("posts of all workspaces are settled here"):
        settled = db.session.execute(_of_ended_messages().limit(_BATCH)).all()
        unanswered = db.session.execute(_unanswered().limit(_BATCH)).all()
        called = db.session.execute(_called().limit(_BATCH)).all()
        db.session.rollback()
    ended = 0
    for rows, work in ((settled, _end_by_message), (unanswered, _end_unanswered), (called, _end_orphan)):
        for workspace_id, post_id in rows:
            with workspace_scope(workspace_id):
                ended += _settle_one(work, post_id)
    return ended


def _settle_one(work: Callable[[int], bool], post_id: int) -> bool:
    try:
        ended = work(post_id)
        db.session.commit()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # Those behind it go on.
        db.session.rollback()
        log.exception("post_defect", post_id=post_id, error=type(error).__name__)
        return False
    return ended


def _publishing() -> Any:
    return select(Post.workspace_id, Post.id).where(Post.state == "publishing").order_by(Post.id)


def _of_ended_messages() -> Any:
    """Posts on Telegram whose message is no longer waiting."""
    ended = has_row().where(Message.id == Post.message_id, Message.state != "queued")
    return _publishing().where(Post.publisher == "telegram", or_(Post.message_id.is_(None), ended))


def _unanswered() -> Any:
    """Posts of a host application that has not answered in time, or that could not be asked."""
    event = (OutgoingDelivery.workspace_id == Post.workspace_id) & (OutgoingDelivery.event_id == Post.request_id)
    open_ = has_row().where(event, OutgoingDelivery.state != "failed")
    return _publishing().where(Post.publisher == "webhook", or_(Post.due_at <= clock.now(), ~open_))


def _called() -> Any:
    """Posts at which a thread is at work, or was."""
    return _publishing().where(Post.publisher.in_(list(publishers.CALLING)))


def _end_by_message(post_id: int) -> bool:
    post = reading.get(post_id, lock=True)
    if post.state != "publishing" or post.publisher != "telegram":
        return False
    message = db.session.get(Message, post.message_id, populate_existing=True) if post.message_id else None
    if message is None:
        outcomes.end(post, "unknown", code="message_gone")
    elif message.state == "queued":
        return False
    elif message.state == "unknown":
        outcomes.end(post, "unknown", code=message.error, detail=message.error_detail)
    elif message.state in ("failed", "canceled"):
        outcomes.end(post, "failed", code=message.error, detail=message.error_detail)
    else:
        chat = db.session.get_one(Conversation, message.conversation_id)
        address = telegram.address_of(chat.chat_id, message.external_id)
        outcomes.end(post, "published", external_id=message.external_id, post_url=address)
    return True


def _end_unanswered(post_id: int) -> bool:
    post = reading.get(post_id, lock=True)
    if post.state != "publishing" or post.publisher != "webhook":
        return False
    late = post.due_at is not None and post.due_at <= clock.now()
    # It may have acted on a request whose answer we never got.
    outcomes.end(post, "unknown", code="no_result" if late else "host_not_reached")
    return True


def _end_orphan(post_id: int) -> bool:
    with advisory_lock(db.engine, lock_of(post_id)) as lock:
        if lock is None:
            # Somebody is at it.
            return False
        post = reading.get(post_id, lock=True)
        if post.state != "publishing" or post.publisher not in publishers.CALLING:
            return False
        outcomes.end(post, "unknown", code="process_died")
        db.session.commit()
    return True
