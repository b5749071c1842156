"""Reads posts and their attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import AutomationRule, Post, PostAttempt, RuleRun
from backend.services import paging


def get(post_id: int, *, lock: bool = False) -> Post:
    """A post of the workspace in scope; locked until the transaction ends if asked for. Raises NotFound."""
    post: Post | None = db.session.get(Post, post_id, with_for_update=lock or None, populate_existing=lock)
    if post is None:
        raise NotFound("post_not_found", "There is no such post.")
    return post


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


def attempts_of(post: Post) -> list[PostAttempt]:
    """What was begun and what came of it, oldest first."""
    return list(db.session.scalars(select(PostAttempt).where(PostAttempt.post_id == post.id).order_by(PostAttempt.id)))


def next_attempt_at(post: Post) -> datetime | None:
    """When the post is attended to next (aware); None where nothing happens by itself."""
    return post.due_at if post.state == "scheduled" else None
