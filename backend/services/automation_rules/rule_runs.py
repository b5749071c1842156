"""A rule's run: its posts are made at once, and what became of them is told when the last of them has ended."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock, events
from backend.core.database import db
from backend.core.errors import AppError, NotFound
from backend.models import AutomationRule, Post, RuleRun, Schedule, User
from backend.services import notifications, posts, scheduling
from backend.services.auth.attribution import SYSTEM
from backend.services.automation_rules import texts
from backend.services.notifications import settings
from backend.services.posts import Place, outcomes
from backend.services.posts.events import RuleRunProgressed
from backend.services.posts.states import ENDED
from backend.services.scheduling import Fire

JOB: Final = "automation_rule"


def carry_out(fire: Fire) -> dict[str, Any]:
    """Makes the posts of one run, in the transaction that ends the fire. What cannot be published fails by itself."""
    rule = db.session.get(AutomationRule, fire.subject_id)
    if rule is None:
        raise NotFound("rule_not_found", "There is no such rule.")
    user = db.session.get_one(User, rule.user_id)
    run = RuleRun(
        workspace_id=rule.workspace_id,
        rule_id=rule.id,
        rule_name=rule.title,
        user_id=rule.user_id,
        fire_at=fire.fire_at,
        created_at=clock.now(),
    )
    db.session.add(run)
    db.session.flush()
    content = texts.fill(rule.content, _values(rule, run, fire, user))
    # All of them first: the run has ended only when each has.
    results = [
        posts.draft_of(user, Place(platform, rule.targets.get(platform) or {}), content, rule.media, rule_run_id=run.id)
        for platform in rule.platforms
    ]
    for post in results:
        try:
            with db.session.begin_nested():
                posts.schedule(post)
                db.session.flush()
        except AppError as error:
            outcomes.end(post, "failed", code=error.code, detail=error.message)
    return {"run_id": run.id, "post_ids": [post.id for post in results]}


def conclude(run: RuleRun) -> None:
    """Ends a locked run and tells of it if all its posts have ended; once, by the run's own state."""
    results = list(
        db.session.scalars(
            select(Post).where(Post.rule_run_id == run.id).order_by(Post.id).execution_options(populate_existing=True)
        )
    )
    if run.state != "running" or any(post.state not in ENDED for post in results):
        return
    run.state, run.finished_at = "finished", clock.now()
    db.session.flush()
    user = db.session.get_one(User, run.user_id)
    succeeded = [post.platform for post in results if post.state == "published"]
    if succeeded:
        zone = settings.zone_of(user.timezone)
        data = {
            "automation_name": run.rule_name,
            "platforms": succeeded,
            "execution_time": f"{run.fire_at.astimezone(zone):%Y-%m-%d %H:%M} ({user.timezone})",
            "rule_id": run.rule_id,
            "run_id": run.id,
        }
        notifications.report(SYSTEM, "automation_executed", user, data, subject=f"rule_runs/{run.id}")
    for post in results:
        if post.state in ("failed", "unknown"):
            posts.notify(post)


def _values(rule: AutomationRule, run: RuleRun, fire: Fire, user: User) -> dict[str, str]:
    schedule = db.session.get_one(Schedule, fire.schedule_id)
    number = db.session.execute(select(func.count()).where(RuleRun.rule_id == rule.id)).scalar_one()
    local = run.fire_at.astimezone(settings.zone_of(schedule.timezone))
    return texts.values(local, rule.title, number, user.locale)


scheduling.register_each(JOB, carry_out)


def on_rule_run_progressed(event: RuleRunProgressed) -> None:
    """A post of a run has ended; runs in the transaction that records it."""
    conclude(event.run)


events.subscribe(RuleRunProgressed, on_rule_run_progressed)
