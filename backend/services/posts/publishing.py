"""The job that publishes what is due, and settles what was begun.

What is only handed over (to the outbox, to a host application) is stored in the transaction that begins the try. Where
a platform is called, the try is committed first, then called, then recorded; the thread that calls holds an advisory
lock, which the server frees with its connection. So a process that dies leaves a post that is `publishing` with nobody
at it, which is settled as unknown at once, and never published again by itself.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import and_, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater
from backend.channels.meta_pages import Published
from backend.core import clock, failpoints
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.core.locking import advisory_lock
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Post
from backend.services.posts import media_fetches, outcomes, publishers, queries, retry_policy, settlement
from backend.services.posts.publishers import Plan, base

log = get_logger(__name__)

PREPARING: Final = timedelta(minutes=3)
"""After so long a post whose preparation was not finished is prepared again."""
_CALL_SECONDS: Final = 30.0
"""How long after a try was begun its request may still begin to be written."""
_DEFECT_WAIT: Final = 60.0
_POOL: Final = BoundedPool("posts", 6, finishes=True)


def waiting() -> Waiting:
    """Posts to publish or to settle now."""
    return _due().with_only_columns(Post.id), *settlement.waiting()


def publish_due(turn: Turn) -> int:
    """Publishes what is due and settles what was begun; works and waits until the turn is over. Commits.

    Returns how many posts were begun or settled. A platform that hangs goes on in its thread and holds nothing else;
    a process that is told to end ends after it.
    """
    count = settlement.settle()
    while not turn.is_over():
        claimed = _claim(network=_POOL.free() > 0)
        if claimed is None:
            break
        workspace_id, post_id, calls = claimed
        count += 1
        if calls:
            _POOL.start(partial(_attend, workspace_id, post_id))
        else:
            with workspace_scope(workspace_id):
                _hand_over(post_id)
    else:
        turn.go_on_later()
    _POOL.wait(turn.left())
    return count


def _due() -> Any:
    return select(Post).where(Post.state == "scheduled", Post.due_at <= clock.now()).order_by(Post.due_at, Post.id)


def _asks_the_network() -> Any:
    """Whether something outside is asked before or while the post is published."""
    addresses = type_coerce(Post.media, JSONB).path_exists("$[*].url")
    return or_(
        Post.publisher.in_(list(publishers.CALLING)),
        and_(Post.publisher == "telegram", addresses, ~type_coerce(Post.progress, JSONB).has_key(base.FILES)),
    )


def _claim(*, network: bool) -> tuple[int, int, bool] | None:
    """The post that has been due for longest: (workspace, id, whether a thread attends to it). Commits.

    One for a thread is put off meanwhile, so that nobody else begins to prepare it.
    """
    with system_scope("posts of all workspaces are published here"):
        query = _due().add_columns(_asks_the_network())
        if not network:
            query = query.where(~_asks_the_network())
        row = db.session.execute(query.limit(1).with_for_update(skip_locked=True, of=Post)).one_or_none()
        if row is None:
            db.session.rollback()
            return None
        post, calls = row
        claimed = post.workspace_id, post.id, bool(calls)
        if calls:
            post.reason, post.due_at = base.PREPARING, clock.now() + PREPARING
            db.session.commit()
        else:
            # The row is read again under its lock, in its workspace's scope.
            db.session.rollback()
        return claimed


def _attend(workspace_id: int, post_id: int) -> None:
    """Prepares a post and publishes it, in a thread of its own; does nothing while another is at it."""
    with advisory_lock(db.engine, settlement.lock_of(post_id)) as lock, workspace_scope(workspace_id):
        plan = _prepare(post_id) if lock is not None else None
        if plan is None:
            return
        if plan.publisher in publishers.CALLING:
            _call(plan)
        else:
            _hand_over(post_id, plan)


def _prepare(post_id: int) -> Plan | None:
    """What is to be published, prepared; None where it cannot be yet, or ever."""
    post = db.session.get(Post, post_id, populate_existing=True)
    plan = Plan.of(post) if post is not None and post.state == "scheduled" and post.publisher else None
    db.session.rollback()
    if plan is None:
        return None
    try:
        prepared = publishers.get(plan.publisher).prepare(plan)
    except ChannelError as error:
        db.session.rollback()
        _consequence(plan.post_id, error, begun=False)
        return None
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # An internal error, which the pool logs; it is not to be met again at once, nor for ever.
        db.session.rollback()
        _consequence(plan.post_id, RetryLater(_DEFECT_WAIT, "internal_error"), begun=False)
        raise
    db.session.rollback()
    locked = _unchanged(plan)
    if locked is None:
        return None
    if prepared.needs_files:
        media_fetches.request_files(locked)
        outcomes.put_off(locked, base.PREPARING, PREPARING, begun=False)
        db.session.commit()
        return None
    locked.progress = prepared.progress
    if prepared.wait is not None:
        locked.tries += 1
        if locked.tries > retry_policy.MAX_TRIES:
            outcomes.end(locked, "failed", code="gave_up", detail=prepared.code)
        else:
            outcomes.put_off(locked, prepared.code or "preparing", timedelta(seconds=prepared.wait), begun=False)
        db.session.commit()
        return None
    db.session.commit()
    return replace(plan, progress=prepared.progress)


def _unchanged(plan: Plan) -> Post | None:
    """The row, locked, if it still says what the plan does."""
    post = queries.get(plan.post_id, lock=True)
    if post.state != "scheduled" or post.updated_at != plan.updated_at:
        db.session.rollback()
        return None
    return post


def _hand_over(post_id: int, plan: Plan | None = None) -> None:
    """Begins a try and stores what carries it out, in one transaction. `plan` is what was prepared for it."""
    post = _unchanged(plan) if plan else _still_due(post_id)
    if post is None or post.publisher not in publishers.HANDING_OVER:
        db.session.rollback()
        return
    try:
        _begin(post)
        publishers.HANDING_OVER[post.publisher].hand_over(post)
        db.session.flush()
    except AppError as error:
        db.session.rollback()
        post = queries.get(post_id, lock=True)
        if post.state == "scheduled":
            outcomes.end(post, "failed", code=error.code, detail=error.message)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # It would be first in line the next time too: those behind it go on.
        db.session.rollback()
        log.exception("post_defect", post_id=post_id, error=type(error).__name__)
        _consequence(post_id, RetryLater(_DEFECT_WAIT, "internal_error"), begun=False)
    db.session.commit()


def _still_due(post_id: int) -> Post | None:
    post = queries.get(post_id, lock=True)
    due = post.state == "scheduled" and post.due_at is not None and post.due_at <= clock.now()
    return post if due else None


def _begin(post: Post) -> None:
    post.state, post.reason, post.due_at = "publishing", "sending", None
    post.attempts += 1
    outcomes.note(post, "begun")
    db.session.flush()


def _call(plan: Plan) -> None:
    post = _unchanged(plan)
    if post is None:
        return
    _begin(post)
    number = post.attempts
    db.session.commit()
    deadline = time.monotonic() + _CALL_SECONDS
    failpoints.hit("post.begun_not_published")
    try:
        published = publishers.CALLING[plan.publisher].publish(plan, deadline)
    except ChannelError as error:
        db.session.rollback()
        _consequence(plan.post_id, error, begun=True, number=number)
        return
    except Exception as error:
        # An internal error: the platform may have published it.
        db.session.rollback()
        log.exception("post_defect", post_id=plan.post_id, error=type(error).__name__)
        _consequence(plan.post_id, OutcomeUnknown("internal_error"), begun=True, number=number)
        return
    db.session.rollback()
    failpoints.hit("post.published_not_recorded")
    _record(plan, number, published)


def _record(plan: Plan, number: int, published: Published) -> None:
    post = queries.get(plan.post_id, lock=True)
    # A person may have answered meanwhile what nobody knew; the platform's own answer is better than none, though.
    if post.attempts == number and post.state in ("publishing", "unknown"):
        outcomes.end(post, "published", external_id=published.external_id, post_url=published.url)
    db.session.commit()


def _consequence(post_id: int, error: ChannelError, *, begun: bool, number: int | None = None) -> None:
    """Records an error, and what follows. Commits."""
    post = queries.get(post_id, lock=True)
    expected = "publishing" if begun else "scheduled"
    if post.state != expected or (number is not None and post.attempts != number):
        db.session.rollback()
        return
    outcomes.follow(post, error, begun=begun)
    db.session.commit()


WORK: Final = register(Work("posts", outcomes.LANE, waiting, publish_due))
