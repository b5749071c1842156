"""Posts: published from here, or by the host application that is asked to."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import reader_of
from backend.http.schemas.posts import (
    PostChange,
    PostDetail,
    PostIn,
    PostOut,
    PostQuery,
    Posts,
    ResolveIn,
    ResultIn,
)
from backend.models import Post
from backend.services import posts
from backend.services.auth import people
from backend.services.posts import Place

bp = APIBlueprint("posts", __name__, url_prefix="/api/posts", tag="Posts")

_read = reader_of(*(name for name in PostOut.model_fields if name not in ("next_attempt_at", "target")))
_RESULT = ("external_id", "post_url", "error")


@bp.get("")
@access()
@bp.input(PostQuery, location="query")
@bp.output(Posts)
def listing(query_data: PostQuery) -> dict[str, Any]:
    """List posts, the newest first"""
    listed, following = posts.listing(**query_data.model_dump())
    return {"posts": [_shown(post) for post in listed], "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(PostIn)
@bp.output(PostOut, status_code=201)
def create(json_data: PostIn) -> dict[str, Any]:
    """Make a post

    Published at `scheduled_at`, or at once; a draft is not. What could not be published is refused here. Naming
    somebody else needs the scope `people:act`.
    """
    caller = guards.actor()
    person = people.person_by(caller, json_data.user_id, json_data.external_user_id)
    post = posts.create(
        caller.by,
        person,
        Place(json_data.platform, json_data.target.given(), json_data.publisher),
        json_data.content,
        [item.model_dump(exclude_none=True) for item in json_data.media],
        scheduled_at=json_data.scheduled_at,
        draft=json_data.state == "draft",
    )
    return _shown(post)


@bp.get("/<int:post_id>")
@access()
@bp.output(PostDetail)
def show(post_id: int) -> dict[str, Any]:
    """Show a post and every try"""
    post, attempts = posts.get_with_attempts(post_id)
    return _shown(post) | {"tries": attempts}


@bp.patch("/<int:post_id>")
@access("operator")
@bp.input(PostChange)
@bp.output(PostOut)
def change(post_id: int, json_data: PostChange) -> dict[str, Any]:
    """Change a post

    Before it is published: everything. Afterwards `likes` and `comments`, which also update the notification that was
    sent. `state` published or failed reports a result.
    """
    caller = guards.actor()
    given = json_data.model_dump(exclude_unset=True, exclude={"media", "target"})
    if "media" in json_data.model_fields_set:
        given["media"] = [item.model_dump(exclude_none=True) for item in json_data.media]
    if "target" in json_data.model_fields_set:
        given["target"] = json_data.target.given()
    result = {name: given.pop(name) for name in _RESULT if name in given}
    if given.get("state") in ("published", "failed"):
        posts.report_result(caller.by, post_id, given.pop("state"), **result)
    return _shown(posts.change(caller.by, post_id, given))


@bp.post("/<int:post_id>/cancel")
@access("operator")
@bp.output(PostOut)
def cancel(post_id: int) -> dict[str, Any]:
    """Cancel a post that has not begun"""
    return _shown(posts.cancel(guards.attribution(), post_id))


@bp.post("/<int:post_id>/retry")
@access("operator", idempotent=True)
@bp.output(PostOut, status_code=202)
def retry(post_id: int) -> dict[str, Any]:
    """Publish a failed post again"""
    return _shown(posts.retry(guards.attribution(), post_id))


@bp.post("/<int:post_id>/result")
@access("operator", idempotent=True)
@bp.input(ResultIn)
@bp.output(PostOut)
def report_result(post_id: int, json_data: ResultIn) -> dict[str, Any]:
    """Report what became of a post

    For the host application that was asked by `post.publish_requested`. The same again changes nothing.
    """
    given = json_data.model_dump(exclude={"outcome"})
    return _shown(posts.report_result(guards.attribution(), post_id, json_data.outcome, **given))


@bp.post("/<int:post_id>/resolve")
@access("operator", idempotent=True)
@bp.input(ResolveIn)
@bp.output(PostOut)
def resolve(post_id: int, json_data: ResolveIn) -> dict[str, Any]:
    """Say what became of a post whose outcome is unknown

    It is never published again by itself: only `retry` does, after somebody has looked.
    """
    given = json_data.model_dump(exclude={"outcome"})
    return _shown(posts.resolve(guards.attribution(), post_id, json_data.outcome, **given))


def _shown(post: Post) -> dict[str, Any]:
    shown = _read(post)
    shown["target"] = post.target
    shown["next_attempt_at"] = posts.next_attempt_at(post)
    return shown
