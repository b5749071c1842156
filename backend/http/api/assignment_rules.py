"""Assignment rules: who gets a conversation that nobody has."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.inbox import (
    AssignmentRuleChange,
    AssignmentRuleIn,
    AssignmentRuleOut,
    AssignmentRules,
)
from backend.models import AssignmentRule
from backend.services.inbox import assignment_rules

bp = APIBlueprint("assignment_rules", __name__, url_prefix="/api/assignment-rules", tag="Inbox")
_SHOWN = (
    "id", "position", "name", "channel", "label_id", "method", "user_ids", "capacity", "is_active", "last_user_id",
    "created_at", "updated_at",
)  # fmt: skip
_MAY_BE_TAKEN_AWAY = frozenset({"channel", "label_id", "integration_id", "capacity"})


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(AssignmentRules)
def list_rules(query_data: PageQuery) -> dict[str, Any]:
    """List the assignment rules; `position` says in which order they are tried"""
    matches, following = assignment_rules.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"assignment_rules": [_shown(rule) for rule in matches], "next_cursor": following}


@bp.post("")
@access("admin", idempotent=True)
@bp.input(AssignmentRuleIn)
@bp.output(AssignmentRuleOut, status_code=201)
def create(json_data: AssignmentRuleIn) -> dict[str, Any]:
    """Add an assignment rule

    Rules are tried for a new conversation, and again when somebody becomes available or has room.
    """
    return _shown(assignment_rules.create(guards.attribution(), json_data.model_dump(exclude_none=True)))


@bp.get("/<int:rule_id>")
@access()
@bp.output(AssignmentRuleOut)
def show(rule_id: int) -> dict[str, Any]:
    """Show an assignment rule"""
    return _shown(assignment_rules.get(rule_id))


@bp.patch("/<int:rule_id>")
@access("admin")
@bp.input(AssignmentRuleChange)
@bp.output(AssignmentRuleOut)
def change(rule_id: int, json_data: AssignmentRuleChange) -> dict[str, Any]:
    """Change an assignment rule; null takes away what it is about"""
    given = json_data.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name in _MAY_BE_TAKEN_AWAY}
    return _shown(assignment_rules.change(guards.attribution(), rule_id, changes))


@bp.delete("/<int:rule_id>")
@access("admin")
@bp.output({}, status_code=204)
def remove(rule_id: int) -> Response:
    """Remove an assignment rule; who has a conversation by it keeps it"""
    assignment_rules.remove(guards.attribution(), rule_id)
    return Response(status=204)


def _shown(rule: AssignmentRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in _SHOWN} | {"integration_id": rule.sender_id}
