"""The rules by which conversations are given to people, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from backend.channels import registry
from backend.core import clock
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Invalid, NotFound
from backend.models import AssignmentRule, Label, Sender, User
from backend.models.user import ADMIN, OPERATOR
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import assignment_queue, rule_choice

MAX_NAME: Final = 100
MAX_PEOPLE: Final = 200
_FIELDS: Final = ("channel", "label_id", "sender_id", "method", "user_ids", "capacity", "is_active", "position")


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[AssignmentRule], str | None]:
    """The workspace's rules by their ids; `position` says in which order they are tried."""
    return paging.page(select(AssignmentRule), AssignmentRule.id, cursor=cursor, limit=limit, descending=False)


def get(rule_id: int) -> AssignmentRule:
    """A rule of the workspace in scope. Raises NotFound."""
    rule = db.session.get(AssignmentRule, rule_id)
    if rule is None:
        raise NotFound("assignment_rule_not_found", "There is no such rule.")
    return rule


def create(by: Attribution, given: Mapping[str, Any]) -> AssignmentRule:
    """Adds a rule, after the others unless it names a position. Raises Invalid, NotFound, Conflict."""
    caps.require_room("assignment_rules", select(func.count()).select_from(AssignmentRule))
    now = clock.now()
    last = db.session.scalar(select(func.max(AssignmentRule.position))) or 0
    rule = AssignmentRule(method=rule_choice.ROUND_ROBIN, user_ids=[], created_at=now, updated_at=now)
    _fill(rule, {"position": min(last + 1, 32_000)} | dict(given))
    db.session.add(rule)
    db.session.flush()
    audit.record(by, "assignment_rule.created", f"assignment_rule:{rule.id}")
    assignment_queue.try_again()
    return rule


def change(by: Attribution, rule_id: int, given: Mapping[str, Any]) -> AssignmentRule:
    """Changes the fields that are given. Raises NotFound, Invalid."""
    rule = get(rule_id)
    _fill(rule, given)
    rule.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "assignment_rule.changed", f"assignment_rule:{rule.id}", fields=sorted(given))
    assignment_queue.try_again()
    return rule


def remove(by: Attribution, rule_id: int) -> None:
    """Removes a rule; who has a conversation by it keeps it. Raises NotFound."""
    db.session.delete(get(rule_id))
    db.session.flush()
    audit.record(by, "assignment_rule.deleted", f"assignment_rule:{rule_id}")


def check_people(user_ids: Sequence[int], field: str = "user_ids") -> None:
    """Raises NotFound for somebody who is not here, Invalid for one who may not answer."""
    query = select(User.id, User.role, User.disabled_at).where(User.id.in_(user_ids))
    known = {row.id: row for row in db.session.execute(query)}
    if set(user_ids) - known.keys():
        raise NotFound("person_not_found", "There is no such person here.")
    if any(row.role not in (OPERATOR, ADMIN) or row.disabled_at is not None for row in known.values()):
        raise Invalid.of(field, "person_cannot_answer", "Conversations are given to people who may write.")


def _fill(rule: AssignmentRule, given: Mapping[str, Any]) -> None:
    if "name" in given:
        rule.name = given["name"].strip()
        if not rule.name or len(rule.name) > MAX_NAME:
            raise Invalid.of("name", "name_length", f"A rule has a name of 1 to {MAX_NAME} characters.")
    if given.get("channel") is not None and given["channel"] not in {spec.name for spec in registry.specs()}:
        raise Invalid.of("channel", "unknown_channel", "There is no such channel.")
    if given.get("label_id") is not None and db.session.get(Label, given["label_id"]) is None:
        raise NotFound("label_not_found", "There is no such label.")
    if given.get("integration_id") is not None:
        _check_sender(given["integration_id"])
    if "user_ids" in given:
        people = list(dict.fromkeys(given["user_ids"]))
        if not 1 <= len(people) <= MAX_PEOPLE:
            raise Invalid.of("user_ids", "people_count", f"A rule names 1 to {MAX_PEOPLE} people.")
        check_people(people)
        rule.user_ids = people
    for name in _FIELDS:
        if name in given and name != "user_ids":
            setattr(rule, name, given[name])
    if "integration_id" in given:
        rule.sender_id = given["integration_id"]


def _check_sender(sender_id: int) -> None:
    with system_scope("senders are kept apart by their owner, here"):
        sender = db.session.get(Sender, sender_id)
    if sender is None or sender.workspace_id != workspace_id_in_scope() or sender.deleted_at is not None:
        raise NotFound("integration_not_found", "There is no such integration.")
