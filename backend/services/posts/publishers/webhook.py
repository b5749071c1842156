"""A host application that is asked by a signed webhook: for X and every platform that is not published to from here.

It answers with `POST /api/posts/<id>/result`. The event's delivery is repeated until it is taken; the event id and
`attempt` tell it repetitions from a new request.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from backend.core import clock, config
from backend.core.errors import Invalid
from backend.models import Post
from backend.services import outgoing_webhooks
from backend.services.outgoing_webhooks.emitting import event_id_of
from backend.services.posts.publishers.base import Draft, Plan, Prepared

REQUESTED: Final = outgoing_webhooks.declare(
    "post.publish_requested", "A post is due: publish it and report with POST /api/posts/<id>/result"
)
PATIENCE: Final = timedelta(hours=24)
"""How long a result is awaited before the outcome counts as unknown."""
WAITING: Final = "waiting_for_host"


class _Webhook:
    def is_available(self, workspace_id: int) -> bool:
        return outgoing_webhooks.listening(workspace_id, REQUESTED)

    def check(self, draft: Draft) -> None:
        """Anything goes: the host application knows its platforms."""

    def prepare(self, plan: Plan) -> Prepared:
        return Prepared(plan.progress)

    def hand_over(self, post: Post) -> None:
        key = f"post:{post.id}:{post.attempts}"
        webhook_ids = outgoing_webhooks.emit(post.workspace_id, REQUESTED, payload_of(post), key=key)
        if not webhook_ids:
            raise Invalid.of("platform", "no_publisher", "No webhook listens to post.publish_requested any more.")
        post.request_id = event_id_of(post.workspace_id, REQUESTED, key)
        post.reason, post.due_at = WAITING, clock.now() + PATIENCE


def payload_of(post: Post) -> dict[str, Any]:
    """What the host application is told of a post."""
    site = config.get().site_url
    return {
        "post_id": post.id,
        "attempt": post.attempts,
        "user_id": post.user_id,
        "platform": post.platform,
        "content": post.content,
        "media": [
            dict(item) | ({"download": f"{site}/api/files/{item['file_id']}"} if item.get("file_id") else {})
            for item in post.media
        ],
        "target": post.target,
        "scheduled_at": post.scheduled_at and post.scheduled_at.isoformat().replace("+00:00", "Z"),
        "result_url": f"{site}/api/posts/{post.id}/result",
    }


PUBLISHER: Final = _Webhook()
