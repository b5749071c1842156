"""Alerts: what is wrong now, worst first, one with everything about it, and what people do with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from flask import Response, request, url_for

from backend.core import i18n
from backend.core.errors import AppError
from backend.http.console.kit import forms, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.models import AlertEvent
from backend.services.alerts import Attribution, history, queries
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.queries import Overview
from backend.services.alerts.state import states
from backend.services.alerts.state.states import Action
from backend.services.auth import people
from backend.services.bots import resolution

bp = pages.blueprint("alerts", __name__)

FILTERS: Final = ("state", "severity", "bot", "q", "mine", "cursor")
OPEN_STATES: Final = ("open", *queries.OPEN)
PAST_STATES: Final = ("resolved", "undelivered")
_MESSAGES: Final = 12
_ITEMS: Final = 30
_UNDO: Final[dict[Action, Action]] = {"ack": "unack", "snooze": "wake", "resolve": "reopen"}
"""What takes an act back, where the alert was firing before it."""


@bp.get("/console/alerts")
@page()
def listing() -> Response:
    """The alerts that the address asks for. The script asks for the list alone when something has changed."""
    values = _listed(forms.query_values(*FILTERS))
    if request.headers.get("HX-Request"):
        return pages.fragment("alerts/rows.html", **values)
    return pages.render("alerts/listing.html", "alerts", pages.t("console.nav.alerts"), one=None, **values)


@bp.get("/console/alerts/<int:alert_id>")
@page()
def show(alert_id: int) -> Response:
    """One alert in a drawer beside the list."""
    overview = _shown(alert_id)
    if request.headers.get("HX-Request"):
        return pages.fragment("alerts/alert.html", one=overview, address=url_for(".listing"))
    values = _listed(forms.query_values(*FILTERS))
    return pages.render("alerts/listing.html", "alerts", overview["overview"].alert.title, one=overview, **values)


@bp.post("/console/alerts/<int:alert_id>/ack")
@page("operator")
def ack(alert_id: int) -> Response:
    """It is taken."""
    return _act(alert_id, "ack")


@bp.post("/console/alerts/<int:alert_id>/unack")
@page("operator")
def unack(alert_id: int) -> Response:
    """It is given back."""
    return _act(alert_id, "unack")


@bp.post("/console/alerts/<int:alert_id>/snooze")
@page("operator")
def snooze(alert_id: int) -> Response:
    """It comes again in an hour."""
    return _act(alert_id, "snooze")


@bp.post("/console/alerts/<int:alert_id>/wake")
@page("operator")
def wake(alert_id: int) -> Response:
    """It comes again now."""
    return _act(alert_id, "wake")


@bp.post("/console/alerts/<int:alert_id>/resolve")
@page("operator")
def resolve(alert_id: int) -> Response:
    """It is over."""
    return _act(alert_id, "resolve")


@bp.post("/console/alerts/<int:alert_id>/reopen")
@page("operator")
def reopen(alert_id: int) -> Response:
    """It is not over after all."""
    return _act(alert_id, "reopen")


def by() -> Attribution:
    """Who acts, as the trace and the messages name them."""
    return replace(attribution(), name=people.get(actor().user_id).name)


def _act(alert_id: int, action: Action) -> Response:
    before = queries.get(alert_id).state
    _, changed = actions.apply(alert_id, action, by())
    words = pages.t(f"console_alerts.done.{states.DONE[action]}" if changed else "console_alerts.done.already")
    back = _UNDO.get(action) if changed and before == "firing" else None
    return pages.redirect_with_toast(
        forms.return_url(url_for(".show", alert_id=alert_id)),
        words,
        undo=url_for(f".{back}", alert_id=alert_id) if back else None,
    )


def _listed(given: dict[str, str]) -> dict[str, Any]:
    """The rows of the list with everything around it, by a fixed number of queries."""
    state = given.get("state", "open")
    if state not in (*OPEN_STATES, *PAST_STATES):
        state = "open"
    words = given.get("q", "")
    label, equals, value = words.partition("=")
    wanted: dict[str, Any] = {
        "severity": given.get("severity"),
        "bot_name": given.get("bot"),
        "labels": [(label, value)] if equals and label else [],
        "text": words if words and not (equals and label) else None,
        "by_user_id": actor().user_id if "mine" in given else None,
    }
    following, more = None, 0
    if state in PAST_STATES:
        overviews, following = queries.listing(state=state, cursor=given.get("cursor"), **wanted)
    else:
        overviews, count = queries.worst(state=None if state == "open" else state, **wanted)
        more = count - len(overviews)
    items = queries.first_items([overview.alert.id for overview in overviews])
    bots, severities = queries.bots_and_severities()
    chosen: dict[str, Any] = {name: text for name, text in given.items() if name != "cursor"}
    return {
        "rows": [
            _row(overview, queries.words(items[overview.alert.id]) if overview.alert.id in items else "")
            for overview in overviews
        ],
        "more": more,
        "older": url_for(".listing", **chosen, cursor=following) if following else None,
        "tallies": queries.tallies(),
        "bots": bots,
        "severities": severities,
        "chosen": chosen,
        "state": state,
        "address": url_for(".listing", **dict[str, Any](given)),
    }


def _row(overview: Overview, text: str) -> dict[str, Any]:
    alert = overview.alert
    return {
        "overview": overview,
        "alert": alert,
        "text": text,
        "shown_state": _state(overview),
        "next": overview.upcoming[0] if overview.upcoming else None,
        "tone": {"critical": "bad", "error": "bad", "warning": "warn"}.get(alert.severity, "idle"),
    }


def _state(overview: Overview) -> str:
    """Its state as the console's table of states has it; what is silenced is not shown as if it rang."""
    alert = overview.alert
    if alert.state == "firing" and any(step.what == "unsilence" for step in overview.upcoming):
        return "silenced"
    return {"acknowledged": "acked"}.get(alert.state, alert.state)


def _shown(alert_id: int) -> dict[str, Any]:
    overview = queries.overviews([queries.get(alert_id)])[0]
    items, more = queries.items(alert_id, limit=_ITEMS)
    trace, _ = history.of(alert_id)
    return _row(overview, "") | {
        "items": [(item, queries.words(item)) for item in items],
        "more_items": overview.items - len(items) if more else 0,
        "links": queries.safe_links(overview.alert),
        "messages": queries.messages(alert_id, most=_MESSAGES),
        "trace": [_step(event) for event in trace],
        "bot_address": _bot_address(overview.alert.bot_name),
    }


def _bot_address(name: str) -> str:
    """The page of the bot that this name means, or the page that says why it means none."""
    try:
        bot_id = resolution.explain_name(name).bot_id
    except AppError:
        bot_id = None
    if bot_id is None:
        return url_for("console_bots.meaning", name=name)
    return url_for("console_bots.show", bot_id=bot_id)


_TONES: Final = {
    "opened": ("bad", "flame"),
    "reopened": ("bad", "flame"),
    "joined": ("bad", "plus"),
    "notified": ("live", "send"),
    "escalated": ("warn", "siren"),
    "undelivered": ("bad", "x"),
    "message_failed": ("bad", "x"),
    "message_gone": ("warn", "x"),
    "attachment_failed": ("warn", "paperclip"),
    "admins_told": ("warn", "users"),
    "acknowledged": ("ok", "hand"),
    "silenced": ("idle", "bell-off"),
    "snoozed": ("idle", "clock"),
    "repaired": ("warn", "file-text"),
    "resolved": ("ok", "check"),
    "items_resolved": ("ok", "check"),
}


def _step(event: AlertEvent) -> dict[str, Any]:
    tone, icon = _TONES.get(event.what, ("idle", "bell"))
    code = event.detail.get("code") or event.detail.get("reason")
    words = f"console_alerts.trace.{event.what}"
    return {
        "tone": tone,
        "icon": icon,
        "event": event,
        "words": pages.t(words) if words in i18n.catalog(pages.locale()) else event.what,
        "code": code if code not in ("new", "told", "person") else None,
    }
