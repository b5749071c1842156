"""Reads posts and their attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import AutomationRule, Post, PostAttempt, RuleRun
from backend.services import paging

_WITH_ATTEMPTS: Final = (
    select(Post, PostAttempt)
    .outerjoin(PostAttempt, PostAttempt.post_id == Post.id)
    .where(Post.id == bindparam("post_id"))
    .order_by(PostAttempt.id)
)


def get(post_id: int, *, lock: bool = False) -> Post:
    """A post of the workspace in scope; locked until the transaction ends if asked for. Raises NotFound."""
    post: Post | None = db.session.get(Post, post_id, with_for_update=lock or None, populate_existing=lock)
    if post is None:
        raise _no_such_post()
    return post


def get_with_attempts(post_id: int) -> tuple[Post, list[PostAttempt]]:
    """A post of the workspace in scope, with what was begun and what came of it, oldest first; by one statement.

    Raises NotFound.
    """
    rows = db.session.execute(_WITH_ATTEMPTS, {"post_id": post_id}).all()
    if not rows:
        raise _no_such_post()
    return rows[0][0], [attempt for _, attempt in rows if attempt is not None]


def listing(
    *,
    state: str | None = None,
    platform: str | None = None,
    user_id: int | None = None,
    rule_id: int | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Post], str | None]:
    """The workspace's posts, newest first. Raises NotFound for a rule that is not there."""
    query = select(Post)
    if state is not None:
        query = query.where(Post.state == state)
    if platform is not None:
        query = query.where(Post.platform == platform)
    if user_id is not None:
        query = query.where(Post.user_id == user_id)
    if rule_id is not None:
        if db.session.get(AutomationRule, rule_id) is None:
            raise NotFound("rule_not_found", "There is no such rule.")
        query = query.join(RuleRun, RuleRun.id == Post.rule_run_id).where(RuleRun.rule_id == rule_id)
    return paging.page(query, Post.id, cursor=cursor, limit=limit)


def next_attempt_at(post: Post) -> datetime | None:
    """When the post is attended to next (aware); None where nothing happens by itself."""
    return post.due_at if post.state == "scheduled" else None


def _no_such_post() -> NotFound:
    return NotFound("post_not_found", "There is no such post.")
