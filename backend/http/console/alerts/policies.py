"""Policies: what is done about which alerts; and how monitoring systems are connected."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, url_for

from backend.core import config
from backend.core.errors import Conflict, Invalid, NotFound
from backend.http.console.alerts import forms as policy_form
from backend.http.console.kit import durations, form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.schemas.alert_rules import AlertPolicyIn
from backend.models import AlertPolicy
from backend.services.alerts.rules import policies
from backend.services.auth import people
from backend.services.paging import MAX_LIMIT

bp = pages.blueprint("alert_policies", __name__)

_SPARE_LINES: Final = 2


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
    return _form(policy, policy_form.values(policy), list(policy.matchers), {})


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
    policies.delete(attribution(), policy_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_alerts.done.policy_deleted"))


@bp.get("/console/alerts/setup")
@page()
def setup() -> Response:
    """How Alertmanager, Grafana and a shell script report here, with this instance's address filled in."""
    address = (config.get().site_url or request.host_url).rstrip("/")
    return pages.render("alerts/setup.html", "alerts", pages.t("console_alerts.tab.setup"), address=address)


def _save(policy: AlertPolicy | None) -> Response:
    given = policy_form.typed()
    lines = forms.rows(request.form, "label", "op", "value")
    try:
        wanted = forms.checked(AlertPolicyIn, policy_form.fields(given) | {"matchers": lines})
        if policy is None:
            policies.create(attribution(), wanted.model_dump())
        else:
            policies.change(attribution(), policy.id, wanted.model_dump())
    except (Invalid, Conflict, NotFound) as error:
        return _form(policy, given, lines, form_errors.by_field(error, policy_form.POLICY), status=error.status)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_alerts.done.policy_saved"))


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
