"""What a workspace wants done about alerts: silences, policies, templates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.core import clock, config
from backend.core.errors import Invalid, field_error
from backend.http import guards
from backend.http.api.alerts import shown
from backend.http.guards import access
from backend.http.schemas.alert_rules import (
    AlertPolicies,
    AlertPolicyChange,
    AlertPolicyIn,
    AlertPolicyOut,
    AlertSilenceChange,
    AlertSilenceIn,
    AlertSilenceOut,
    AlertSilences,
    AlertTemplateChange,
    AlertTemplateIn,
    AlertTemplateOut,
    AlertTemplates,
    SilencePreview,
    SilencePreviewIn,
    SilenceQuery,
)
from backend.http.schemas.base import PageQuery
from backend.models import AlertPolicy, AlertSilence
from backend.services.alerts import Attribution, queries
from backend.services.alerts.rules import policies, silence_preview, silences, templates
from backend.services.auth import people

bp = APIBlueprint("alert_rules", __name__, url_prefix="/api/alerts", tag="Alerts")


@bp.get("/silences")
@access()
@bp.input(SilenceQuery, location="query")
@bp.output(AlertSilences)
def list_silences(query_data: SilenceQuery) -> dict[str, Any]:
    """List silences, the newest first"""
    listed, following = silences.listing(state=query_data.state, cursor=query_data.cursor, limit=query_data.limit)
    return {"silences": _silences(listed), "next_cursor": following}


@bp.post("/silences")
@access("operator", idempotent=True)
@bp.input(AlertSilenceIn)
@bp.output(AlertSilenceOut, status_code=201)
def create_silence(json_data: AlertSilenceIn) -> dict[str, Any]:
    """Silence what all of some matchers match

    Alerts are still counted meanwhile, and come when the silence ends if they still fire.
    """
    starts_at = json_data.starts_at or clock.now()
    if (json_data.ends_at is None) == (json_data.seconds is None):
        fault = field_error("ends_at", "end_missing", "A silence has either an end or a number of seconds.")
        raise Invalid(detail=[fault])
    ends_at = json_data.ends_at or starts_at + timedelta(seconds=json_data.seconds or 0)
    matchers = [matcher.model_dump() for matcher in json_data.matchers]
    silence = silences.make(_by(), matchers, starts_at, ends_at, comment=json_data.comment)
    return _silences([silence])[0]


@bp.post("/silences/preview")
@access()
@bp.input(SilencePreviewIn)
@bp.output(SilencePreview)
@bp.doc(responses={503: "`too_busy`: others preview silences at this moment"})
def preview_silence(json_data: SilencePreviewIn) -> dict[str, Any]:
    """Try matchers: what would they silence now?

    Stores nothing.
    """
    preview = silence_preview.preview([item.model_dump() for item in json_data.matchers])
    return {
        "alerts": [shown(item) for item in queries.overviews(preview.alerts)],
        "alert_count": preview.alert_count,
        "item_count": preview.item_count,
        "untouched_count": preview.untouched_count,
        "last_week_count": preview.last_week_count,
        "complete": preview.complete,
    }


@bp.get("/silences/<int:silence_id>")
@access()
@bp.output(AlertSilenceOut)
def show_silence(silence_id: int) -> dict[str, Any]:
    """Show a silence"""
    return _silences([silences.get(silence_id)])[0]


@bp.patch("/silences/<int:silence_id>")
@access("operator")
@bp.input(AlertSilenceChange)
@bp.output(AlertSilenceOut)
def change_silence(silence_id: int, json_data: AlertSilenceChange) -> dict[str, Any]:
    """Change a silence, or renew one that is over"""
    given = json_data.model_dump(exclude_unset=True)
    fields = {name: value for name, value in given.items() if value is not None or name == "comment"}
    return _silences([silences.change(_by(), silence_id, fields)])[0]


@bp.delete("/silences/<int:silence_id>")
@access("operator")
@bp.output(AlertSilenceOut)
def end_silence(silence_id: int) -> dict[str, Any]:
    """End a silence now

    It stays in the list as expired.
    """
    return _silences([silences.end(_by(), silence_id)])[0]


@bp.get("/policies")
@access()
@bp.output(AlertPolicies)
def list_policies() -> dict[str, Any]:
    """List the policies, in the order in which they are tried"""
    return {
        "policies": [_policy(policy) for policy in policies.listing()],
        "throttle_seconds": config.get().telegram_alert_throttle_seconds,
        "next_cursor": None,
    }


@bp.post("/policies")
@access("admin", idempotent=True)
@bp.input(AlertPolicyIn)
@bp.output(AlertPolicyOut, status_code=201)
def create_policy(json_data: AlertPolicyIn) -> dict[str, Any]:
    """Say what is done about which alerts"""
    return _policy(policies.create(guards.attribution(), json_data.model_dump()))


@bp.get("/policies/<int:policy_id>")
@access()
@bp.output(AlertPolicyOut)
def show_policy(policy_id: int) -> dict[str, Any]:
    """Show a policy"""
    return _policy(policies.get(policy_id))


@bp.patch("/policies/<int:policy_id>")
@access("admin")
@bp.input(AlertPolicyChange)
@bp.output(AlertPolicyOut)
def change_policy(policy_id: int, json_data: AlertPolicyChange) -> dict[str, Any]:
    """Change a policy

    Open alerts follow it from their next step on.
    """
    return _policy(policies.change(guards.attribution(), policy_id, json_data.model_dump(exclude_unset=True)))


@bp.delete("/policies/<int:policy_id>")
@access("admin")
@bp.output({}, status_code=204)
def delete_policy(policy_id: int) -> Response:
    """Remove a policy"""
    policies.delete(guards.attribution(), policy_id)
    return Response(status=204)


@bp.get("/templates")
@access()
@bp.input(PageQuery, location="query")
@bp.output(AlertTemplates)
def list_templates(query_data: PageQuery) -> dict[str, Any]:
    """List the templates"""
    listed, following = templates.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"templates": listed, "next_cursor": following}


@bp.post("/templates")
@access("operator", idempotent=True)
@bp.input(AlertTemplateIn)
@bp.output(AlertTemplateOut, status_code=201)
def create_template(json_data: AlertTemplateIn) -> Any:
    """Add a text that alerts can name"""
    return templates.create(guards.attribution(), json_data.model_dump())


@bp.get("/templates/<int:template_id>")
@access()
@bp.output(AlertTemplateOut)
def show_template(template_id: int) -> Any:
    """Show a template"""
    return templates.get(template_id)


@bp.patch("/templates/<int:template_id>")
@access("operator")
@bp.input(AlertTemplateChange)
@bp.output(AlertTemplateOut)
def change_template(template_id: int, json_data: AlertTemplateChange) -> Any:
    """Change a template; its name stays"""
    return templates.change(guards.attribution(), template_id, json_data.model_dump(exclude_unset=True))


@bp.delete("/templates/<int:template_id>")
@access("operator")
@bp.output({}, status_code=204)
def delete_template(template_id: int) -> Response:
    """Remove a template"""
    templates.delete(guards.attribution(), template_id)
    return Response(status=204)


def _silences(listed: list[AlertSilence]) -> list[dict[str, Any]]:
    silencing_now = silences.silencing_now(listed)
    fields = ("id", "matchers", "starts_at", "ends_at", "comment", "by_user_id", "disabled_code", "created_at")
    return [
        {name: getattr(silence, name) for name in fields}
        | {"state": silences.state_of(silence)}
        | dict.fromkeys(("created_by_name", "by_name"), silence.by_name)
        | dict.fromkeys(("silencing_now", "hushing"), silencing_now.get(silence.id, 0))
        | dict.fromkeys(("silenced_count", "hushed"), silence.hushed)
        for silence in listed
    ]


def _policy(policy: AlertPolicy) -> dict[str, Any]:
    names = (*policies.FIELDS, "id", "disabled_code", "created_at", "updated_at")
    fields = {name: getattr(policy, name) for name in names}
    return fields | {"escalate_chat_ids": policies.chats_of(policy)}


def _by() -> Attribution:
    return replace(guards.attribution(), name=people.get(guards.actor().user_id).name)
