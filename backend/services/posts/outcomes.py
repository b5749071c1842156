"""Outcomes of posts: ending them, notifying their persons, and reports of persons or host applications.

A post ends in the transaction that also stores what its person is told. While a rule's run is under way its posts tell
nothing themselves: the run does, once all have ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

from backend.channels.errors import ChannelError
from backend.core import clock, events, queue
from backend.core.database import db
from backend.core.errors import Conflict
from backend.core.logging import get_logger
from backend.models import Post, PostAttempt, RuleRun, User
from backend.services import notifications
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.posts import publishers, queries, retry_policy, states, texts
from backend.services.posts.events import RuleRunProgressed

log = get_logger(__name__)

LANE: Final = "background"

Outcome = Literal["published", "failed", "unknown", "canceled"]


def end(
    post: Post,
    outcome: Outcome,
    *,
    code: str | None = None,
    detail: str | None = None,
    external_id: str | None = None,
    post_url: str | None = None,
) -> None:
    """Ends a locked post in the caller's transaction and has its person told."""
    now = clock.now()
    post.state, post.reason, post.error = outcome, code, (detail or None) and str(detail)[:500]
    post.due_at = None
    post.ended_at = post.updated_at = now
    if outcome == "published":
        post.published_at, post.error = now, None
        post.external_id = external_id or post.external_id
        post.post_url = post_url or post.post_url
    if outcome != "canceled":
        note(post, outcome, code)
    db.session.flush()
    run = _run_under_way(post)
    if run is not None:
        events.publish(RuleRunProgressed(run))
    elif outcome != "canceled":
        notify(post)


def put_off(post: Post, code: str, wait: timedelta, *, begun: bool) -> None:
    """Has a locked post wait, with the reason, in the caller's transaction."""
    if begun:
        note(post, "again", code)
    post.state, post.reason, post.due_at = "scheduled", code, clock.now() + wait
    db.session.flush()


def follow(post: Post, error: ChannelError, *, begun: bool) -> None:
    """Has a locked post wait or end, as follows from an error, in the caller's transaction."""
    post.tries += 1
    decided = retry_policy.decide(error, begun=begun, tries=post.tries, key=post.id)
    if decided.code in retry_policy.FORGETS:
        post.progress = {}
    if decided.wait is None:
        end(post, "unknown" if decided.state == "unknown" else "failed", code=decided.code, detail=decided.detail)
    else:
        put_off(post, decided.code, decided.wait, begun=begun)
    log.info("post_not_published", post_id=post.id, state=post.state, code=decided.code, tries=post.tries)


def note(post: Post, phase: str, code: str | None = None) -> None:
    """Adds to the post's attempts."""
    db.session.add(
        PostAttempt(
            workspace_id=post.workspace_id,
            post_id=post.id,
            number=post.attempts,
            phase=phase,
            code=code,
            at=clock.now(),
        )
    )


def notify(post: Post) -> None:
    """Tells the post's person how it ended, in the message that told of it before if there is one."""
    user = db.session.get_one(User, post.user_id)
    post.version += 1
    kind = "post_success" if post.state == "published" else "post_failure"
    notifications.report(SYSTEM, kind, user, data_of(post, user.locale), subject=subject_of(post), version=post.version)


def data_of(post: Post, locale: str) -> dict[str, Any]:
    """What the notification is made of."""
    data: dict[str, Any] = {"post_id": post.id, "platform": post.platform}
    if post.state == "published":
        counts = {"likes": post.likes, "comments": post.comments}
        data |= {"content": post.content, "post_url": post.post_url, **counts}
    else:
        data |= {"error": texts.explain(post.state, post.reason, post.error, locale)}
    return {name: value for name, value in data.items() if value is not None}


def subject_of(post: Post) -> str:
    """Under which subject its person is told; host applications use names of their own, such as `post:17`."""
    return f"posts/{post.id}"


def engagement_changed(post: Post) -> None:
    """Edits the `post_success` that was sent with the new counts; says nothing where none was."""
    user = db.session.get_one(User, post.user_id)
    if post.state == "published" and notifications.was_told(user, subject_of(post)):
        notify(post)


def report_result(
    by: Attribution,
    post_id: int,
    outcome: Literal["published", "failed"],
    *,
    attempt: int | None = None,
    external_id: str | None = None,
    post_url: str | None = None,
    error: str | None = None,
) -> Post:
    """A host application says what became of a post it was asked to publish; the same again changes nothing.

    Raises NotFound, Conflict (`post_state`; `stale_attempt`: it speaks of an earlier request).
    """
    post = queries.get(post_id, lock=True)
    if post.publisher != "webhook":
        raise Conflict("not_the_hosts", "This post is not published by the host application.")
    if attempt is not None and attempt != post.attempts:
        raise Conflict("stale_attempt", "That request is not the last one.", detail={"attempt": post.attempts})
    if post.state == outcome:
        return post
    states.require(post.state, "result")
    code = "host_reported" if outcome == "failed" else None
    end(post, outcome, code=code, detail=error, external_id=external_id, post_url=post_url)
    audit.record(by, "post.result_reported", f"post:{post.id}", outcome=outcome)
    return post


def resolve(
    by: Attribution,
    post_id: int,
    outcome: Literal["published", "failed", "retry"],
    *,
    external_id: str | None = None,
    post_url: str | None = None,
) -> Post:
    """A person answers what became of a post whose outcome is unknown. `retry` publishes it again: they have seen
    that it is not there. Raises NotFound, Conflict (`post_state`), and for `retry` what `publishers.choose` does.
    """
    post = queries.get(post_id, lock=True)
    states.require(post.state, "resolve")
    if outcome == "retry":
        _again(post)
    else:
        code = "resolved_by_person" if outcome == "failed" else None
        end(post, outcome, code=code, external_id=external_id, post_url=post_url)
    audit.record(by, "post.resolved", f"post:{post.id}", outcome=outcome)
    return post


def retry(by: Attribution, post_id: int) -> Post:
    """Publishes a failed post again. Raises NotFound, Conflict (`post_state`), and what `publishers.choose` does."""
    post = queries.get(post_id, lock=True)
    states.require(post.state, "retry")
    _again(post)
    audit.record(by, "post.retried", f"post:{post.id}")
    return post


def _again(post: Post) -> None:
    post.publisher = publishers.choose(post.workspace_id, post.platform, post.publisher)
    now = clock.now()
    post.state, post.reason, post.error = "scheduled", "queued", None
    post.due_at, post.ended_at, post.tries, post.updated_at = now, None, 0, now
    post.message_id = post.request_id = None
    db.session.flush()
    queue.wake(LANE)


def _run_under_way(post: Post) -> RuleRun | None:
    """The rule's run that tells of this post, locked; None where nobody waits for it (any more)."""
    if post.rule_run_id is None:
        return None
    # Posts are locked before their run, everywhere; of two posts that end at once the second finds the first ended.
    run: RuleRun | None = db.session.get(RuleRun, post.rule_run_id, with_for_update=True, populate_existing=True)
    return run if run is not None and run.state == "running" else None
