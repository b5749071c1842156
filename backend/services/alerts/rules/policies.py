"""Policies: what a workspace wants done about which alerts. The first that matches counts; else the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound, field_error
from backend.models import AlertPolicy, User
from backend.services import caps
from backend.services.alerts.rules import faults as rule_faults
from backend.services.alerts.rules import validation
from backend.services.alerts.rules.matchers import matches, read
from backend.services.alerts.rules.policy_rules import Rules
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.bots import resolution

FIELDS: Final = (
    "name", "position", "matchers", "locale", "group_by", "group_wait", "group_interval", "repeat_interval",
    "acknowledged_for", "quiet_after", "escalate_after", "escalate_bot_name", "escalate_chat_ids", "escalate_user_ids",
    "quiet_recoveries", "resolve_reply",
)  # fmt: skip
_OWN_REPEAT: Final = 3600
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_DEFAULTS: Final[dict[str, Any]] = {
    "position": 0,
    "matchers": [],
    "locale": "en",
    "group_by": [],
    "group_wait": 30,
    "group_interval": 300,
    "repeat_interval": None,
    "acknowledged_for": 86_400,
    "quiet_after": 86_400,
    "escalate_after": None,
    "escalate_bot_name": None,
    "escalate_chat_ids": [],
    "escalate_user_ids": [],
    "quiet_recoveries": True,
    "resolve_reply": False,
}


def rules_of(policy: AlertPolicy | None, source: str = "api") -> Rules:
    """The policy as the decisions see it; the defaults for None.

    What the product says of itself comes with every check, and so makes a sound by the clock only.
    """
    if policy is None:
        return Rules(repeat_interval=_OWN_REPEAT if source == "system" else None)
    return Rules(
        group_by=tuple(policy.group_by),
        group_wait=policy.group_wait,
        group_interval=policy.group_interval,
        repeat_interval=policy.repeat_interval,
        acknowledged_for=policy.acknowledged_for,
        quiet_after=policy.quiet_after,
        escalate_after=policy.escalate_after,
        quiet_recoveries=policy.quiet_recoveries,
        resolve_reply=policy.resolve_reply,
    )


def first_matching(ordered: Sequence[AlertPolicy], several: Sequence[Mapping[str, str]]) -> AlertPolicy | None:
    """The first policy whose matchers hold for each of some alerts' labels; one without matchers matches everything.

    So a group has a policy that is right for all that fires in it, whichever of its alerts came first. A policy whose
    patterns cost too much is switched off, in the caller's transaction.
    """
    rules = [(policy, read(policy.matchers)) for policy in ordered if policy.disabled_code is None]
    names = {matcher.label for _, matchers in rules for matcher in matchers}
    # Most alerts of a group are the same to these matchers, and are tested once.
    distinct = {(getattr(seen, "severity", None), *(seen.get(name, "") for name in names)): seen for seen in several}
    seen_once = list(distinct.values())
    meter = rule_faults.meter()
    chosen = next(
        (
            policy
            for policy, matchers in rules
            if all(matches(matchers, seen, meter, ("policy", policy.id)) for seen in seen_once)
        ),
        None,
    )
    rule_faults.switch_off(meter)
    return chosen


def get(policy_id: int) -> AlertPolicy:
    """A policy of the workspace in scope. Raises NotFound."""
    policy = db.session.get(AlertPolicy, policy_id)
    if policy is None:
        raise NotFound("policy_not_found", "There is no such policy.")
    return policy


def listing() -> list[AlertPolicy]:
    """All policies, in the order in which they are tried."""
    return list(_ordered())


def create(by: Attribution, fields: Mapping[str, Any]) -> AlertPolicy:
    """Adds a policy; what is left out has its default. Raises Invalid, NotFound (a person, a bot), Conflict."""
    wanted = _DEFAULTS | dict(fields)
    _check(wanted)
    caps.require_room("policies", select(func.count()).select_from(AlertPolicy))
    now = clock.now()
    policy = AlertPolicy(created_at=now, updated_at=now)
    _set(policy, wanted)
    db.session.add(policy)
    db.session.flush()
    audit.record(by, "alert_policy.created", f"alert_policy:{policy.id}", name=policy.name)
    return policy


def change(by: Attribution, policy_id: int, fields: Mapping[str, Any]) -> AlertPolicy:
    """Changes the fields that are named. Alerts that are open follow it at their next step."""
    policy = get(policy_id)
    wanted = {name: getattr(policy, name) for name in FIELDS} | {"escalate_chat_ids": chats_of(policy)} | dict(fields)
    _check(wanted, policy.id)
    _set(policy, wanted)
    rule_faults.forgive(policy)
    policy.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "alert_policy.changed", f"alert_policy:{policy.id}", fields=sorted(fields))
    return policy


def delete(by: Attribution, policy_id: int) -> None:
    """Removes a policy; its open alerts go on by the defaults. Raises NotFound."""
    policy = get(policy_id)
    audit.record(by, "alert_policy.deleted", f"alert_policy:{policy.id}", name=policy.name)
    db.session.delete(policy)
    db.session.flush()


def chats_of(policy: AlertPolicy) -> list[str]:
    """The chats to escalate to."""
    return [chat_id for chat_id in (policy.escalate_chat_ids or "").split(",") if chat_id]


def escalates(policy: AlertPolicy | None) -> bool:
    """Whether it says to whom."""
    return policy is not None and bool(
        policy.escalate_user_ids or policy.escalate_bot_name or policy.escalate_chat_ids_encrypted
    )


def _ordered() -> Sequence[AlertPolicy]:
    return db.session.scalars(select(AlertPolicy).order_by(AlertPolicy.position, AlertPolicy.id)).all()


def _set(policy: AlertPolicy, wanted: Mapping[str, Any]) -> None:
    for name in FIELDS:
        if name == "escalate_chat_ids":
            policy.escalate_chat_ids = ",".join(wanted[name]) or None
        else:
            setattr(policy, name, list(wanted[name]) if isinstance(wanted[name], list | tuple) else wanted[name])


def _check(wanted: Mapping[str, Any], own_id: int | None = None) -> None:
    faults = validation.matcher_faults(wanted["matchers"], may_be_empty=True)
    for index, name in enumerate(wanted["group_by"]):
        if not _LABEL.fullmatch(name):
            faults.append(field_error(f"group_by.{index}", "bad_label", "Not the name of a label."))
    targets = wanted["escalate_user_ids"] or wanted["escalate_bot_name"] or wanted["escalate_chat_ids"]
    if wanted["escalate_after"] is not None and not targets:
        message = "An escalation needs people, a bot, or chats."
        faults.append(field_error("escalate_after", "no_escalation_target", message))
    if faults:
        raise Invalid.of_fields(faults)
    for user_id in wanted["escalate_user_ids"]:
        if db.session.get(User, user_id) is None:
            raise NotFound("person_not_found", "There is no such person here.")
    if wanted["escalate_bot_name"] or wanted["escalate_chat_ids"]:
        name = wanted["escalate_bot_name"] or "alerts"
        resolution.resolve(bot_name=name, chat_ids=wanted["escalate_chat_ids"])
    taken = db.session.scalars(select(AlertPolicy.id).where(AlertPolicy.name == wanted["name"])).one_or_none()
    if taken not in (None, own_id):
        raise Conflict("policy_exists", "The workspace has a policy of that name.")
