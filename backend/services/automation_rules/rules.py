"""Creates, changes, reads and removes rules; each has one schedule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from backend.channels import richtext
from backend.core import clock
from backend.core.database import db
from backend.core.errors import Invalid, NotFound
from backend.models import AutomationRule, RuleRun, Schedule, User
from backend.services import caps, paging, posts, scheduling
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.automation_rules import texts
from backend.services.automation_rules.rule_runs import JOB
from backend.services.posts import publishers
from backend.services.posts.publishers import Draft
from backend.services.scheduling import Timing

_FIELDS: Final = ("name", "platforms", "targets", "content", "media")


def create(
    by: Attribution, user: User, fields: Mapping[str, Any], timing: Timing, *, enabled: bool = True
) -> AutomationRule:
    """Adds a rule of a person of the workspace in scope.

    Raises Invalid (the template, the timing, a platform that nobody publishes on), Conflict (`too_many_rules`), and
    what a post of it would.
    """
    caps.require_room("automation_rules", select(func.count()).select_from(AutomationRule))
    now = clock.now()
    rule = AutomationRule(
        workspace_id=user.workspace_id,
        user_id=user.id,
        name=fields.get("name"),
        platforms=list(fields["platforms"]),
        targets=dict(fields.get("targets") or {}),
        content=fields["content"],
        media=[dict(item) for item in fields.get("media") or ()],
        created_at=now,
        updated_at=now,
    )
    _check_targets(rule)
    _check(rule)
    db.session.add(rule)
    db.session.flush()
    scheduling.create(rule.workspace_id, JOB, rule.id, timing, enabled)
    audit.record(by, "automation_rule.created", f"automation_rule:{rule.id}")
    return rule


def get(rule_id: int, *, lock: bool = False) -> AutomationRule:
    """A rule of the workspace in scope. Raises NotFound."""
    rule: AutomationRule | None = db.session.get(
        AutomationRule, rule_id, with_for_update=lock or None, populate_existing=lock
    )
    if rule is None:
        raise NotFound("rule_not_found", "There is no such rule.")
    return rule


def schedule_of(rule: AutomationRule) -> Schedule:
    """When the rule runs."""
    return scheduling.of(JOB, rule.id)


def schedules_of(rules: Sequence[AutomationRule]) -> dict[int, Schedule]:
    """When these rules run, by their ids."""
    query = select(Schedule).where(Schedule.job == JOB, Schedule.subject_id.in_([rule.id for rule in rules]))
    return {schedule.subject_id: schedule for schedule in db.session.scalars(query)}


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[AutomationRule], str | None]:
    """The workspace's rules, oldest first."""
    return paging.page(select(AutomationRule), AutomationRule.id, cursor=cursor, limit=limit, descending=False)


def runs(
    rule_id: int, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[RuleRun], str | None]:
    """A rule's runs, newest first. Raises NotFound."""
    query = select(RuleRun).where(RuleRun.rule_id == get(rule_id).id)
    return paging.page(query, RuleRun.id, cursor=cursor, limit=limit)


def change(
    by: Attribution,
    rule_id: int,
    changes: Mapping[str, Any],
    *,
    timing: Timing | None = None,
    enabled: bool | None = None,
) -> AutomationRule:
    """Changes the fields that are named, the timing, and whether it runs; posts already made stay as they are.

    Raises what `create` does, and NotFound.
    """
    rule = get(rule_id, lock=True)
    for name in _FIELDS:
        if name in changes:
            setattr(rule, name, changes[name])
    if changes:
        if "targets" in changes:
            _check_targets(rule)
        _check(rule)
    schedule = schedule_of(rule)
    if enabled is False:
        scheduling.pause(schedule)
    if timing is not None:
        scheduling.change(schedule, timing)
    if enabled is True:
        scheduling.resume(schedule)
    rule.updated_at = clock.now()
    db.session.flush()
    touched = sorted({*changes, *(["timing"] if timing else []), *(["enabled"] if enabled is not None else [])})
    audit.record(by, "automation_rule.changed", f"automation_rule:{rule.id}", fields=touched)
    return rule


def remove(by: Attribution, rule_id: int) -> None:
    """Ends a rule and forgets its schedule; posts and runs already made go on. Raises NotFound."""
    rule = get(rule_id, lock=True)
    scheduling.remove(schedule_of(rule))
    db.session.delete(rule)
    db.session.flush()
    audit.record(by, "automation_rule.deleted", f"automation_rule:{rule_id}")


def run_now(by: Attribution, rule_id: int) -> None:
    """Runs a rule once, also one that is switched off; its next time stays. Raises NotFound."""
    rule = get(rule_id)
    scheduling.run_now(schedule_of(rule), by)
    audit.record(by, "automation_rule.run", f"automation_rule:{rule.id}")


def _check(rule: AutomationRule) -> None:
    problem = texts.problem(rule.content)
    if problem:
        raise Invalid.of("content", "bad_template", problem)
    posts.check_media(rule.media)
    _check_platforms(rule.workspace_id, rule.platforms, rule.targets, rule.content, rule.media)


def _check_targets(rule: AutomationRule) -> None:
    """Refuses a target of a platform that the rule does not have: its posts would go elsewhere than was meant."""
    faults = [
        {
            "field": f"targets.{name[:100]}",
            "code": "unknown_field",
            "message": f"The rule has no such platform. It has: {', '.join(rule.platforms)}.",
            "nearest": next(iter(difflib.get_close_matches(name[:100], rule.platforms, 1, 0.5)), None),
        }
        for name in rule.targets
        if name not in rule.platforms
    ]
    if faults:
        raise Invalid("unknown_field", str(faults[0]["message"]), detail=faults)


def _check_platforms(
    workspace_id: int, platforms: Sequence[str], targets: Mapping[str, Any], content: str, media: Sequence[Any]
) -> None:
    if not richtext.has_visible(content) and not media:
        message = "A rule has a text, a picture, or both."
        raise Invalid.of("content", "post_empty", message)
    for platform in platforms:
        name = publishers.choose(workspace_id, platform)
        publishers.get(name).check(Draft(workspace_id, content, media, targets.get(platform) or {}))
