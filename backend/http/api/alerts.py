"""Alerts: raised by programs and monitoring systems, read, and acted on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import g

from backend.core.errors import Invalid, field_error
from backend.http import guards, languages, tolerant_json
from backend.http.guards import access
from backend.http.schemas.alerts import (
    AlertAccepted,
    AlertDetail,
    AlertIn,
    AlertItems,
    AlertOut,
    AlertQuery,
    AlertResolveIn,
    Alerts,
    ReceivedIn,
    ReceiverQuery,
    SnoozeIn,
)
from backend.http.schemas.base import PageQuery
from backend.services import alerts, delivery
from backend.services.alerts import AlertInput, Attribution, Outcome, history, queries, severities
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.queries import MessageProgress, Overview
from backend.services.alerts.state.states import Action
from backend.services.auth import people
from backend.services.notifications import Attachment

bp = APIBlueprint("alerts", __name__, url_prefix="/api/alerts", tag="Alerts")


@bp.post("")
@access("operator", idempotent=True, limit="alerts")
@bp.input(AlertIn)
@bp.output(AlertAccepted, status_code=202)
def raise_alert(json_data: AlertIn) -> dict[str, Any]:
    """Raise an alert, count it once more, or end it

    The answer does not wait for Telegram. The same key within the throttle's seconds is counted and not sent.
    """
    values = {**json_data.labels, **json_data.vars}
    title, message = alerts.compose(json_data.title, json_data.message, json_data.template, values)
    alert_input = AlertInput(
        title=title,
        message=message,
        severity=json_data.severity,
        bot_name=json_data.bot_name,
        chat_ids=json_data.chat_ids,
        throttle_key=json_data.throttle_key,
        labels=json_data.labels,
        buttons=[button.model_dump() for button in json_data.buttons],
        attachment=_attachment(json_data),
        status=json_data.status,
    )
    return _accepted(alerts.raise_input(alert_input, _by("api")))


@bp.post("/alertmanager")
@access("operator", limit="alerts", max_body=tolerant_json.MAX_BYTES)
@bp.input(ReceiverQuery, location="query")
@bp.input(ReceivedIn)
@bp.output(AlertAccepted, status_code=202)
def alertmanager(query_data: ReceiverQuery, json_data: ReceivedIn) -> dict[str, Any]:
    """Take what Alertmanager sends to a webhook

    Its group becomes one alert, its fingerprints the items. At most 8 MB; what cannot be stored is repaired, see
    `repaired`.
    """
    return _received("alertmanager", query_data, json_data)


@bp.post("/grafana")
@access("operator", limit="alerts", max_body=tolerant_json.MAX_BYTES)
@bp.input(ReceiverQuery, location="query")
@bp.input(ReceivedIn)
@bp.output(AlertAccepted, status_code=202)
def grafana(query_data: ReceiverQuery, json_data: ReceivedIn) -> dict[str, Any]:
    """Take what Grafana sends to a webhook

    Its group becomes one alert, its fingerprints the items. At most 8 MB; what cannot be stored is repaired, see
    `repaired`.
    """
    return _received("grafana", query_data, json_data)


@bp.get("")
@access()
@bp.input(AlertQuery, location="query")
@bp.output(Alerts)
def listing(query_data: AlertQuery) -> dict[str, Any]:
    """List alerts, the newest first"""
    overviews, following = queries.listing(
        state=query_data.state,
        severity=_severity(query_data.severity),
        bot_name=query_data.bot_name,
        labels=query_data.labels,
        text=query_data.q,
        by_user_id=guards.actor().user_id if query_data.mine else None,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"alerts": [shown(overview) for overview in overviews], "next_cursor": following}


@bp.get("/<int:alert_id>")
@access()
@bp.output(AlertDetail)
def show(alert_id: int) -> dict[str, Any]:
    """Show an alert: what is in it, what happened, what was said, and what happens next"""
    overview = queries.overviews([queries.get(alert_id)])[0]
    items, _ = queries.items(alert_id)
    trace, _ = history.of(alert_id)
    return shown(overview) | {
        "first_items": items,
        "messages": [_message(message) for message in queries.messages(alert_id)],
        "history": trace,
    }


@bp.get("/<int:alert_id>/items")
@access()
@bp.input(PageQuery, location="query")
@bp.output(AlertItems)
def items(alert_id: int, query_data: PageQuery) -> dict[str, Any]:
    """List what is in an alert"""
    listed, following = queries.items(alert_id, cursor=query_data.cursor, limit=query_data.limit)
    return {"items": listed, "next_cursor": following}


@bp.post("/<int:alert_id>/ack")
@access("operator")
@bp.output(AlertOut)
def ack(alert_id: int) -> dict[str, Any]:
    """Acknowledge an alert

    It makes no further sound until that is taken back, something new joins it, or the policy's time is over.
    """
    return _act(alert_id, "ack")


@bp.post("/<int:alert_id>/unack")
@access("operator")
@bp.output(AlertOut)
def unack(alert_id: int) -> dict[str, Any]:
    """Take an acknowledgement back"""
    return _act(alert_id, "unack")


@bp.post("/<int:alert_id>/snooze")
@access("operator")
@bp.input(SnoozeIn)
@bp.output(AlertOut)
def snooze(alert_id: int, json_data: SnoozeIn) -> dict[str, Any]:
    """Snooze an alert; afterwards it comes again"""
    return _act(alert_id, "snooze", json_data.seconds)


@bp.post("/<int:alert_id>/wake")
@access("operator")
@bp.output(AlertOut)
def wake(alert_id: int) -> dict[str, Any]:
    """End a snooze now"""
    return _act(alert_id, "wake")


@bp.post("/<int:alert_id>/resolve")
@access("operator")
@bp.input(AlertResolveIn)
@bp.output(AlertOut)
def resolve(alert_id: int, json_data: AlertResolveIn) -> dict[str, Any]:
    """Resolve an alert, or some of its items"""
    if json_data.item_ids:
        case = actions.resolve_items(alert_id, json_data.item_ids, _by("api"))
        return shown(queries.overviews([case.alert])[0])
    return _act(alert_id, "resolve")


@bp.post("/<int:alert_id>/reopen")
@access("operator")
@bp.output(AlertOut)
def reopen(alert_id: int) -> dict[str, Any]:
    """Take a resolution back"""
    return _act(alert_id, "reopen")


def shown(overview: Overview) -> dict[str, Any]:
    """An alert's fields as every answer has them."""
    alert, steps = overview.alert, overview.upcoming
    fields = (
        "id", "state", "severity", "title", "labels", "links", "source", "bot_name", "policy_id", "level", "more",
        "by_user_id", "by_name", "opened_at", "last_seen_at", "notified_at", "acknowledged_at", "snoozed_until",
        "silenced_until", "escalated_at", "resolved_at", "resolved_code", "undelivered_code", "undelivered_at",
    )  # fmt: skip
    nothing = {"what": "nothing", "at": None, "reason": "resolved" if alert.state == "resolved" else "until_you_act"}
    return {name: getattr(alert, name) for name in fields} | {
        "started_at": alert.started_at or alert.opened_at,
        "ended_at": alert.ended_at or alert.resolved_at,
        "count": overview.count,
        "items": overview.items,
        "firing": overview.firing,
        "chats": overview.reach.chats,
        "undelivered_chats": overview.reach.missed,
        "undelivered_reason": overview.reach.code,
        "next": steps[0] if steps else nothing,
        "upcoming": steps,
    }


def _severity(word: str | None) -> str | None:
    """The severity to filter by. Raises Invalid for a word that means none."""
    if word is None:
        return None
    severity = severities.parse(word)
    if severity is None:
        message = "One of critical, error, warning, info and debug."
        raise Invalid.of_fields([field_error("severity", "bad_severity", message)])
    return severity


def _act(alert_id: int, action: Action, seconds: int = actions.SNOOZE_SECONDS) -> dict[str, Any]:
    case, _ = actions.apply(alert_id, action, _by("api"), seconds=seconds)
    return shown(queries.overviews([case.alert])[0])


def _received(source: str, query_data: ReceiverQuery, json_data: ReceivedIn) -> dict[str, Any]:
    caller = guards.actor()
    # Not `model_dump`, which would copy all of it.
    body = (json_data.model_extra or {}) | {"alerts": json_data.alerts}
    outcome = alerts.receive(
        source,
        body,
        Attribution(source, caller.label),
        bot_name=query_data.bot_name,
        repaired=g.get("repairs", ()),
    )
    return _accepted(outcome)


def _accepted(outcome: Outcome) -> dict[str, Any]:
    return {
        "alert_id": outcome.alert_id,
        "decision": outcome.decision,
        "reason": outcome.reason,
        "count": outcome.count,
        "level": outcome.level,
        "message_ids": list(outcome.message_ids),
        "repaired": list(outcome.repaired),
    }


def _message(sent: MessageProgress) -> dict[str, Any]:
    row, status = sent.row, sent.status
    return {
        "message_id": row.message_id,
        "role": row.role,
        "user_id": row.user_id,
        "state": status.state,
        "reason": status.reason,
        "reason_text": delivery.explain(status, languages.wanted()),
        "next_attempt_at": status.next_attempt_at,
        "left_out": status.left_out,
        "living": row.superseded_at is None and row.failed_code is None and row.role not in ("reply", "attachment"),
        "created_at": row.created_at,
    }


def _by(via: str) -> Attribution:
    name = people.get(guards.actor().user_id).name if via == "api" else None
    return replace(guards.attribution(), via=via, name=name)


def _attachment(json_data: AlertIn) -> Attachment | None:
    if json_data.photo is not None and json_data.document is not None:
        raise Invalid("attachment_ambiguous", "An alert carries a photo or a document, not both.")
    given = json_data.photo if json_data.photo is not None else json_data.document
    if given is None:
        return None
    return Attachment("photo" if json_data.photo is not None else "document", given.url, given.file_id)
