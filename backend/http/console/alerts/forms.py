"""The forms of policies and silences: what their fields are called, and what was typed as the API takes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from flask import request

from backend.core.errors import Invalid, field_error
from backend.http.console.kit import durations, form_errors, forms, pages
from backend.models import AlertPolicy
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.rules import policies

SPANS: Final = (
    "group_wait",
    "group_interval",
    "repeat_interval",
    "acknowledged_for",
    "quiet_after",
    "escalate_after",
)
_ALWAYS: Final = {"group_wait": 30, "group_interval": 300}
"""Spans that cannot be never: left empty they have their default."""
_TEXTS: Final = ("name", "position", "locale", "escalate_bot_name")
_LISTS: Final = ("group_by", "escalate_chat_ids")
_SWITCHES: Final = ("quiet_recoveries", "resolve_reply")
MATCHER_LABELS: Final = {
    "matchers": "console_alerts.matchers",
    "matchers.label": "console_alerts.matcher.its_label",
    "matchers.value": "console_alerts.matcher.its_value",
    "matchers.op": "console_alerts.matcher.its_op",
}


def field_of(path: str) -> str:
    """The field of a form with matchers: what is wrong with one of their lines stands at that line."""
    name, _, rest = path.partition(".")
    return f"{name}.{rest.partition('.')[0]}" if name == "matchers" and rest else form_errors.first_part(path)


_LABELS: Final = (*SPANS, *_TEXTS, *_LISTS, *_SWITCHES)
POLICY: Final = form_errors.Form(
    "policy",
    labels={name: f"console_alerts.policy.{name}" for name in _LABELS}
    | {
        "escalate_user_ids": "console_alerts.policy.people",
    }
    | MATCHER_LABELS,
    field_of=field_of,
    by_code={
        "policy_exists": "name",
        "person_not_found": "escalate_user_ids",
        "no_chats": "escalate_bot_name",
        "bot_not_found": "escalate_bot_name",
        "bot_inactive": "escalate_bot_name",
        "bot_unavailable": "escalate_bot_name",
    },
)
SILENCE: Final = form_errors.Form(
    "silence",
    labels={
        "seconds": "console_alerts.silence.for",
        "ends_at": "console_alerts.silence.until",
        "starts_at": "console_alerts.silence.from",
        "comment": "console_alerts.silence.why",
    }
    | MATCHER_LABELS,
    field_of=field_of,
)


def typed() -> dict[str, Any]:
    """What was typed into the form of a policy."""
    return {
        **forms.values(*_TEXTS, *_LISTS, *SPANS),
        **{name: name in request.form for name in _SWITCHES},
        "escalate_user_ids": request.form.getlist("escalate_user_ids"),
    }


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """The form's values as the API's schema has them. Raises Invalid for what is no span of time."""
    fields: dict[str, Any] = {name: given[name] for name in (*_TEXTS, *_SWITCHES, "escalate_user_ids") if name in given}
    for name in _LISTS:
        fields[name] = [part for part in given.get(name, "").replace(",", " ").split() if part]
    faults = []
    for name in SPANS:
        text = given.get(name)
        if text is None:
            fields[name] = _ALWAYS.get(name)
            continue
        fields[name] = durations.read(text)
        if fields[name] is None:
            faults.append(field_error(name, "bad_span", "Not a span of time."))
    if faults:
        raise Invalid.of_fields(faults)
    return fields


def values(policy: AlertPolicy) -> dict[str, Any]:
    """What the form shows of a policy."""
    return {
        "name": policy.name,
        "position": str(policy.position),
        "locale": policy.locale,
        "escalate_bot_name": policy.escalate_bot_name or "",
        "group_by": ", ".join(policy.group_by),
        "escalate_chat_ids": ", ".join(policies.chats_of(policy)),
        "escalate_user_ids": [str(user_id) for user_id in policy.escalate_user_ids],
        **{name: durations.shown(getattr(policy, name)) for name in SPANS},
        **{name: getattr(policy, name) for name in _SWITCHES},
    }


def times(given: dict[str, str]) -> dict[str, Any]:
    """The form's times: an end counts before a span; local times are those of the person's zone."""
    times: dict[str, Any] = {"comment": given.get("comment")}
    faults = []
    for name in ("starts_at", "ends_at"):
        if name not in given:
            continue
        try:
            times[name] = datetime.fromisoformat(given[name]).replace(tzinfo=pages.zone())
        except ValueError:
            faults.append(field_error(name, "bad_moment", "Not a date and time."))
    if faults:
        raise Invalid.of_fields(faults)
    if "ends_at" not in times:
        times["seconds"] = given.get("seconds", actions.SILENCE_SECONDS)
    return times
