"""Making and changing posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from backend.channels import richtext
from backend.core import clock, config, queue
from backend.core.database import db
from backend.core.egress import Egress, EgressFailed, EgressRefused
from backend.core.errors import Invalid
from backend.models import Post, User
from backend.services import caps, files
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.posts import outcomes, publishers, queries, states
from backend.services.posts.publishers import Draft
from backend.services.texts import values

GRACE: Final = timedelta(minutes=1)
"""So long past is still "now": clocks differ, and requests take a moment."""
FARTHEST: Final = timedelta(days=20 * 366)
_LOOK_UP_SECONDS: Final = 2.0
_FIELDS: Final = ("platform", "content", "media", "target", "scheduled_at")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post goes: a platform, and where on it. `publisher` None chooses by what is set up."""

    platform: str
    target: Mapping[str, Any]
    publisher: str | None = None


def draft_of(
    user: User,
    place: Place,
    content: str,
    media: Sequence[Mapping[str, Any]] = (),
    *,
    scheduled_at: datetime | None = None,
    rule_run_id: int | None = None,
) -> Post:
    """A draft of a person of the workspace in scope, in the caller's transaction; nothing of it is checked."""
    now = clock.now()
    post = Post(
        workspace_id=user.workspace_id,
        user_id=user.id,
        platform=place.platform.strip(),
        publisher=place.publisher,
        content=content,
        media=[dict(item) for item in media],
        target=dict(place.target),
        scheduled_at=scheduled_at,
        state="draft",
        reason="draft",
        progress={},
        rule_run_id=rule_run_id,
        created_at=now,
        updated_at=now,
    )
    db.session.add(post)
    db.session.flush()
    return post


def create(
    by: Attribution,
    user: User,
    place: Place,
    content: str,
    media: Sequence[Mapping[str, Any]] = (),
    *,
    scheduled_at: datetime | None = None,
    draft: bool = False,
) -> Post:
    """Stores a post of a person of the workspace in scope; without `scheduled_at` it is due now, a draft waits.

    Raises Invalid, NotFound, Conflict or TooLarge for what could not be published; nothing is to be kept then.
    """
    check_media(media)
    if scheduled_at is not None:
        _check_time(scheduled_at)
    caps.require_room("posts", select(func.count()).select_from(Post).where(Post.state.in_(states.WAITING)))
    post = draft_of(user, place, content, media, scheduled_at=scheduled_at)
    if not draft:
        schedule(post)
        db.session.flush()
    audit.record(by, "post.created", f"post:{post.id}", platform=post.platform, state=post.state)
    return post


def change(by: Attribution, post_id: int, changes: Mapping[str, Any]) -> Post:
    """Changes the fields that are named; all or nothing.

    `likes` and `comments` at any time; what is published only before it is. `state` is `scheduled` (a draft goes
    out), `draft` (it is held back) or `canceled`. Raises what `create` does, NotFound, Conflict (`post_state`).
    """
    post = queries.get(post_id, lock=True)
    new_state = changes.get("state")
    fields = [name for name in (*_FIELDS, "publisher") if name in changes]
    counts = [name for name in ("likes", "comments") if name in changes]
    if fields or new_state not in (None, post.state):
        states.require(post.state, "change")
        _rewrite(post, {name: changes[name] for name in fields}, new_state)
    moved = [name for name in counts if getattr(post, name) != changes[name]]
    for name in moved:
        setattr(post, name, changes[name])
    if fields or moved or new_state is not None:
        post.updated_at = clock.now()
    db.session.flush()
    if new_state == "canceled":
        outcomes.end(post, "canceled", code="canceled")
    if moved:
        outcomes.engagement_changed(post)
    touched = sorted({*fields, *moved, *({"state"} & set(changes))})
    audit.record(by, "post.changed", f"post:{post.id}", fields=touched)
    return post


def cancel(by: Attribution, post_id: int) -> Post:
    """Ends a post that has not begun. Raises NotFound, Conflict (`post_state`)."""
    post = queries.get(post_id, lock=True)
    states.require(post.state, "cancel")
    outcomes.end(post, "canceled", code="canceled")
    audit.record(by, "post.canceled", f"post:{post.id}")
    return post


def schedule(post: Post) -> None:
    """Makes a checked draft due, at its time or now. Raises what `create` does."""
    post.publisher = publishers.choose(post.workspace_id, post.platform, post.publisher)
    if not richtext.has_visible(post.content) and not post.media:
        raise Invalid.of("content", "post_empty", "A post has a text, a picture, or both.")
    draft = Draft(post.workspace_id, post.content, post.media, post.target)
    publishers.get(post.publisher).check(draft)
    now = clock.now()
    later = post.scheduled_at is not None and post.scheduled_at > now
    post.state, post.reason = "scheduled", "scheduled" if later else "queued"
    post.due_at = post.scheduled_at if later else now
    queue.wake(outcomes.LANE)


def check_media(media: Sequence[Mapping[str, Any]]) -> None:
    """Raises NotFound for a file of another workspace, TooLarge and Invalid for one that cannot be sent as it is
    asked for, Invalid for an address that is not public."""
    for position, item in enumerate(media):
        if item.get("file_id") is not None:
            files.as_media(files.get(item["file_id"]), item["kind"])
            continue
        address = values.http_url(item.get("url"))
        if address is None:
            raise Invalid.of(f"media.{position}.url", "address_malformed", "The address has to be an http(s) one.")
        try:
            Egress(allow_private=config.get().egress_allow_private).judge(address, timeout=_LOOK_UP_SECONDS)
        except EgressRefused as error:
            raise Invalid.of(f"media.{position}.url", error.code, error.message) from None
        except EgressFailed:
            # A name that cannot be looked up now is judged when it is fetched.
            continue


def _rewrite(post: Post, changes: Mapping[str, Any], new_state: str | None) -> None:
    for name, value in changes.items():
        setattr(post, name, value.strip() if name == "platform" else value)
    if "media" in changes:
        post.media = [dict(item) for item in changes["media"]]
        check_media(post.media)
    if changes.get("scheduled_at") is not None:
        _check_time(changes["scheduled_at"])
    if "platform" in changes and "publisher" not in changes:
        post.publisher = None
    # What was prepared was prepared for something else.
    post.progress = {}
    if new_state == "draft":
        post.state, post.reason, post.due_at = "draft", "draft", None
    elif new_state == "scheduled" or (new_state is None and post.state == "scheduled"):
        schedule(post)


def _check_time(at: datetime) -> None:
    now = clock.now()
    if at < now - GRACE:
        raise Invalid.of("scheduled_at", "past_date", "This time has passed.")
    if at > now + FARTHEST:
        raise Invalid.of("scheduled_at", "date_too_far", "This time is more than twenty years away.")
