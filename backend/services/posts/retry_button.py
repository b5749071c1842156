"""The Retry button of a failure: publishes the post again, or asks the host application to."""

from __future__ import annotations

from typing import Any, Final

from backend.core.database import db
from backend.core.errors import AppError
from backend.models import NotificationEvent, Post
from backend.services import notifications, outgoing_webhooks
from backend.services.auth.attribution import TELEGRAM
from backend.services.notifications import RetryHandler
from backend.services.posts import outcomes, publishers, states

REQUESTED: Final = outgoing_webhooks.declare(
    "post.retry_requested", "Somebody pressed Retry under a failure that the host application had reported"
)


def _own_post(event: NotificationEvent) -> Post | None:
    """The post that `data.post_id` names, if it is the person's."""
    post_id = event.data.get("post_id") if isinstance(event.data, dict) else None
    if not isinstance(post_id, int) or isinstance(post_id, bool) or not 0 < post_id < 2**63:
        return None
    post = db.session.get(Post, post_id)
    return post if post is not None and post.user_id == event.user_id else None


def _may_publish(event: NotificationEvent) -> bool:
    post = _own_post(event)
    if post is None or not states.may(post.state, "retry"):
        return False
    try:
        publishers.choose(post.workspace_id, post.platform, post.publisher)
    except AppError:
        return False
    return True


def _publish(event: NotificationEvent) -> None:
    post = _own_post(event)
    if post is not None:
        outcomes.retry(TELEGRAM, post.id)


def _may_ask(event: NotificationEvent) -> bool:
    post = _own_post(event)
    ours = post is not None and event.subject == outcomes.subject_of(post)
    return not ours and not _may_publish(event) and outgoing_webhooks.listening(event.workspace_id, REQUESTED)


def _ask(event: NotificationEvent) -> None:
    payload: dict[str, Any] = {
        "event_id": event.id,
        "user_id": event.user_id,
        "subject": event.subject,
        "data": event.data,
    }
    # Pressed twice, it is one request; a failure that is reported again has a button of its own.
    outgoing_webhooks.emit(event.workspace_id, REQUESTED, payload, key=f"event:{event.id}")


notifications.register_retry(RetryHandler("post", _may_publish, _publish))
notifications.register_retry(RetryHandler("host", _may_ask, _ask))
