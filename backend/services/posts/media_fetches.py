"""The pictures and documents of a post that were given as addresses: fetched when it is due, before it is begun."""

from __future__ import annotations

from typing import Final

from backend.channels.errors import Rejected, RetryLater
from backend.core import clock, events, queue
from backend.core.database import db
from backend.models import Post
from backend.services import files
from backend.services.files import FileFetched, FileFetchFailed, Source
from backend.services.posts import outcomes
from backend.services.posts.publishers.base import FILES, FILES_SO_FAR, PREPARING, missing_addresses

OWNER: Final = "post"
"""What posts are called where files are fetched for them."""
_RETRY_SECONDS: Final = 30.0


def request_files(post: Post) -> None:
    """Has the addresses of a locked post fetched, each at once and once: the post's own tries repeat it."""
    for address, (position, kind) in missing_addresses(post.media, post.progress).items():
        files.request(OWNER, post.id, Source(address), kind, slot=position, max_tries=1)


def on_fetched(fetched: FileFetched) -> None:
    """Keeps the file for the post, which is due again when it is the last; throws it away where it is not awaited."""
    if fetched.owner_kind != OWNER:
        return
    post = _waiting(fetched.owner_id, fetched.source)
    if post is None:
        files.discard(fetched.file_id)
        return
    there = {**post.progress.get(FILES_SO_FAR, {}), fetched.source: fetched.file_id}
    post.progress = post.progress | {FILES_SO_FAR: there}
    if not missing_addresses(post.media, post.progress):
        post.progress = {name: value for name, value in post.progress.items() if name != FILES_SO_FAR} | {FILES: there}
        post.due_at = clock.now()
        queue.wake(outcomes.LANE)
    db.session.flush()


def on_fetch_failed(failed: FileFetchFailed) -> None:
    """Has the post wait or fail, as when its platform refuses it before it is begun."""
    post = _waiting(failed.owner_id, failed.source) if failed.owner_kind == OWNER else None
    if post is None:
        return
    files.cancel(OWNER, post.id, except_slot=failed.slot)
    outcomes.follow(
        post, RetryLater(_RETRY_SECONDS, failed.code) if failed.transient else Rejected(failed.code), begun=False
    )


def _waiting(post_id: int, address: str) -> Post | None:
    """The post, locked, if it waits for the file at this address."""
    post: Post | None = db.session.get(Post, post_id, with_for_update=True, populate_existing=True)
    if post is None or post.state != "scheduled" or post.reason != PREPARING:
        return None
    return post if address in missing_addresses(post.media, post.progress) else None


events.subscribe(FileFetched, on_fetched)
events.subscribe(FileFetchFailed, on_fetch_failed)
