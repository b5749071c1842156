"""Automation rules: posts on a schedule."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.automation_rules import (
    RuleChange,
    RuleIn,
    RuleOut,
    RuleRunAccepted,
    RuleRuns,
    Rules,
    TimingIn,
)
from backend.http.schemas.base import PageQuery
from backend.models import AutomationRule, Schedule
from backend.services import automation_rules
from backend.services.auth import people
from backend.services.scheduling import Timing

bp = APIBlueprint("automation_rules", __name__, url_prefix="/api/automation-rules", tag="Automation rules")

_OWN = ("id", "name", "title", "user_id", "platforms", "targets", "content", "media", "created_at", "updated_at")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Rules)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List the workspace's rules"""
    rules, following = automation_rules.listing(cursor=query_data.cursor, limit=query_data.limit)
    schedules = automation_rules.schedules_of(rules)
    shown = [_with_schedule(rule, schedules[rule.id]) for rule in rules]
    return {"automation_rules": shown, "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(RuleIn)
@bp.output(RuleOut, status_code=201)
def create(json_data: RuleIn) -> dict[str, Any]:
    """Add a rule

    Each run makes one post on each platform. Naming somebody else needs the scope `people:act`.
    """
    caller = guards.actor()
    person = people.person_by(caller, json_data.user_id, json_data.external_user_id)
    timing = _timing(json_data.timing, person.timezone)
    rule = automation_rules.create(guards.attribution(), person, _fields(json_data), timing, enabled=json_data.enabled)
    return _shown(rule)


@bp.get("/<int:rule_id>")
@access()
@bp.output(RuleOut)
def show(rule_id: int) -> dict[str, Any]:
    """Show a rule"""
    return _shown(automation_rules.get(rule_id))


@bp.patch("/<int:rule_id>")
@access("operator")
@bp.input(RuleChange)
@bp.output(RuleOut)
def change(rule_id: int, json_data: RuleChange) -> dict[str, Any]:
    """Change a rule"""
    timing = None
    if json_data.timing is not None:
        person = people.get(automation_rules.get(rule_id).user_id)
        timing = _timing(json_data.timing, person.timezone)
    changed = automation_rules.change(
        guards.attribution(), rule_id, _fields(json_data), timing=timing, enabled=json_data.enabled
    )
    return _shown(changed)


@bp.delete("/<int:rule_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(rule_id: int) -> Response:
    """Remove a rule

    Posts already made stay and go on.
    """
    automation_rules.remove(guards.attribution(), rule_id)
    return Response(status=204)


@bp.post("/<int:rule_id>/run")
@access("operator", idempotent=True)
@bp.output(RuleRunAccepted, status_code=202)
def run(rule_id: int) -> dict[str, str]:
    """Run a rule now

    Also one that is switched off; its next time stays.
    """
    automation_rules.run_now(guards.attribution(), rule_id)
    return {"status": "queued"}


@bp.get("/<int:rule_id>/runs")
@access()
@bp.input(PageQuery, location="query")
@bp.output(RuleRuns)
def runs(rule_id: int, query_data: PageQuery) -> dict[str, Any]:
    """List a rule's runs, the newest first"""
    listed, following = automation_rules.runs(rule_id, cursor=query_data.cursor, limit=query_data.limit)
    return {"runs": listed, "next_cursor": following}


def _fields(given: RuleIn | RuleChange) -> dict[str, Any]:
    """The rule's own fields that were given, as plain values."""
    fields = given.model_dump(exclude_unset=True, include={"name", "content"})
    if "platforms" in given.model_fields_set:
        fields["platforms"] = list(dict.fromkeys(given.platforms))
    if "targets" in given.model_fields_set:
        fields["targets"] = {platform: target.given() for platform, target in given.targets.items()}
    if "media" in given.model_fields_set:
        fields["media"] = [item.model_dump(exclude_none=True) for item in given.media]
    if isinstance(given, RuleIn):
        fields.setdefault("content", given.content)
    return fields


def _timing(given: TimingIn, timezone: str) -> Timing:
    return Timing(given.kind, given.cron, given.interval_seconds, given.run_at, given.timezone or timezone)


def _shown(rule: AutomationRule) -> dict[str, Any]:
    return _with_schedule(rule, automation_rules.schedule_of(rule))


def _with_schedule(rule: AutomationRule, schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in _OWN} | {
        "timing": schedule,
        "enabled": schedule.enabled,
        "next_run_at": schedule.next_fire_at,
        "last_run_at": schedule.last_fire_at,
    }
