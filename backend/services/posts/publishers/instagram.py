"""An Instagram professional account: pictures at public addresses, in a container that is then published."""

from __future__ import annotations

from typing import Final

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected
from backend.channels.meta_pages import Published, instagram, is_id
from backend.core.errors import Invalid
from backend.services.posts.publishers import meta
from backend.services.posts.publishers.base import Draft, Plan, Prepared, require_text

_PROCESSING_WAIT: Final = 5.0


class _Instagram:
    def is_available(self, workspace_id: int) -> bool:
        return meta.may_publish(workspace_id, meta.INSTAGRAM_SCOPES)

    def check(self, draft: Draft) -> None:
        require_text(draft, instagram.MAX_TEXT)
        user_id = draft.target.get("ig_user_id")
        if user_id is not None and not is_id(user_id):
            raise Invalid.of("target.ig_user_id", "bad_ig_user_id", "An Instagram user id is made of digits.")
        if not draft.media:
            raise Invalid.of("media", "media_required", "Instagram takes no post without a picture.")
        if any(item["kind"] != "photo" for item in draft.media):
            raise Invalid.of("media", "photos_only", "Instagram takes pictures only.")
        if any(not item.get("url") for item in draft.media):
            message = "Instagram fetches pictures itself: each needs a public address."
            raise Invalid.of("media", "needs_address", message)

    def prepare(self, plan: Plan) -> Prepared:
        """Makes the container, once, and says whether Instagram still works on it."""
        client, progress = meta.client(), dict(plan.progress)
        user_id = progress.get("ig_user_id") or plan.target.get("ig_user_id") or meta.account(client).ig_user_id
        if user_id is None:
            raise Rejected("no_instagram_account")
        progress["ig_user_id"] = user_id
        if not progress.get("container"):
            urls = [item["url"] for item in plan.media]
            progress["container"] = instagram.contain(client, user_id, plan.content, urls)
            # Asked in a moment, when the container's id is stored.
            return Prepared(progress, wait=_PROCESSING_WAIT, code="media_processing")
        if instagram.state_of(client, progress["container"]) == "processing":
            return Prepared(progress, wait=_PROCESSING_WAIT, code="media_processing")
        return Prepared(progress)

    def publish(self, plan: Plan, deadline: float) -> Published:
        """Publishes the container. Where the answer is lost, or an earlier try's was, the container itself tells
        whether it is published: asking that is safe."""
        client, container = meta.client(), plan.progress["container"]
        if _is_published(container):
            return Published(None)
        try:
            return instagram.publish(client, plan.progress["ig_user_id"], container, deadline)
        except OutcomeUnknown as unknown:
            if _is_published(container):
                return Published(None)
            raise unknown from None


def _is_published(container: str) -> bool:
    try:
        return instagram.state_of(meta.client(), container) == "published"
    except ChannelError:
        return False


PUBLISHER: Final = _Instagram()
