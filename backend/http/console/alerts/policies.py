"""Policies: what is done about which alerts; and how monitoring systems are connected."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, url_for

from backend.core import config
from backend.core.errors import Conflict, Invalid, NotFound, field_error
from backend.http.console.alerts import texts
from backend.http.console.kit import durations, form_errors, forms, pages
from backend.http.console.kit.guards import actor, page
from backend.http.schemas.alert_rules import AlertPolicyIn
from backend.models import AlertPolicy
from backend.services.alerts.rules import policies
from backend.services.auth import people
from backend.services.paging import MAX_LIMIT

bp = pages.blueprint("alert_policies", __name__)

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
_SPARE_LINES: Final = 2


_LABELS: Final = (*SPANS, *_TEXTS, *_LISTS, *_SWITCHES)
FORM: Final = form_errors.Form(
    "policy",
    labels={name: f"console_alerts.policy.{name}" for name in _LABELS}
    | {
        "escalate_user_ids": "console_alerts.policy.people",
    }
    | texts.MATCHER_LABELS,
    field_of=texts.field_of,
    by_code={
        "policy_exists": "name",
        "person_not_found": "escalate_user_ids",
        "no_chats": "escalate_bot_name",
        "bot_not_found": "escalate_bot_name",
        "bot_inactive": "escalate_bot_name",
        "bot_unavailable": "escalate_bot_name",
    },
)


@bp.get("/console/alerts/policies")
@page()
def listing() -> Response:
    """All policies, in the order in which they are tried, and what holds without one."""
    return pages.render(
        "alerts/policies.html",
        "alerts",
        pages.t("console_alerts.tab.policies"),
        policies=policies.listing(),
        span=lambda seconds: durations.words(seconds, pages.locale()),
        throttle=config.get().telegram_alert_throttle_seconds,
    )


@bp.get("/console/alerts/policies/new")
@page("admin")
def new() -> Response:
    """The form with the defaults."""
    first = {"position": "0", "locale": "en", "group_wait": "30s", "group_interval": "5m", "acknowledged_for": "1d"}
    return _form(None, {**first, "quiet_after": "1d", "quiet_recoveries": True}, [], {})


@bp.get("/console/alerts/policies/<int:policy_id>")
@page()
def show(policy_id: int) -> Response:
    """The form as the policy is; who is no admin reads it."""
    policy = policies.get(policy_id)
    return _form(policy, _values(policy), list(policy.matchers), {})


@bp.post("/console/alerts/policies")
@page("admin")
def create() -> Response:
    """Adds a policy."""
    return _save(None)


@bp.post("/console/alerts/policies/<int:policy_id>")
@page("admin")
def change(policy_id: int) -> Response:
    """Changes a policy; open alerts follow it from their next step on."""
    return _save(policies.get(policy_id))


@bp.post("/console/alerts/policies/<int:policy_id>/delete")
@page("admin")
def delete(policy_id: int) -> Response:
    """Removes a policy."""
    policies.delete(actor().label, policy_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_alerts.done.policy_deleted"))


@bp.get("/console/alerts/setup")
@page()
def setup() -> Response:
    """How Alertmanager, Grafana and a shell script report here, with this instance's address filled in."""
    address = (config.get().site_url or request.host_url).rstrip("/")
    return pages.render("alerts/setup.html", "alerts", pages.t("console_alerts.tab.setup"), address=address)


def _save(policy: AlertPolicy | None) -> Response:
    given: dict[str, Any] = {
        **forms.values(*_TEXTS, *_LISTS, *SPANS),
        **{name: name in request.form for name in _SWITCHES},
        "escalate_user_ids": request.form.getlist("escalate_user_ids"),
    }
    lines = forms.rows(request.form, "label", "op", "value")
    try:
        wanted = forms.checked(AlertPolicyIn, _fields(given) | {"matchers": lines})
        if policy is None:
            policies.create(actor().label, wanted.model_dump())
        else:
            policies.change(actor().label, policy.id, wanted.model_dump())
    except (Invalid, Conflict, NotFound) as error:
        return _form(policy, given, lines, form_errors.by_field(error, FORM), status=error.status)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_alerts.done.policy_saved"))


def _fields(given: dict[str, Any]) -> dict[str, Any]:
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


def _values(policy: AlertPolicy) -> dict[str, Any]:
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


def _form(
    policy: AlertPolicy | None,
    given: dict[str, Any],
    lines: list[dict[str, str]],
    faults: dict[str, str],
    *,
    status: int = 200,
) -> Response:
    persons, _ = people.listing(cursor=None, limit=MAX_LIMIT)
    title = policy.name if policy is not None else pages.t("console_alerts.policy.new")
    return pages.render(
        "alerts/policy.html",
        "alerts",
        title,
        status,
        width="text",
        policy=policy,
        given=given,
        lines=[*lines, *({"label": "", "op": "=", "value": ""} for _ in range(_SPARE_LINES))],
        faults=faults,
        people=[person for person in persons if person.disabled_at is None],
    )
