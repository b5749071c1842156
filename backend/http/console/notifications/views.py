"""Notifications: the log of what was reported, what came of each event, and who can be reached."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, NotFound
from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.services import linking, notifications
from backend.services.auth import people as known_people
from backend.services.notifications import known_types
from backend.services.notifications import log as logs

bp = pages.blueprint("notifications", __name__)

DECISIONS = ("queued", "deferred", "suppressed")
_MAX_ID = 2**63 - 1


@bp.get("/console/notifications")
@page()
def log() -> Response:
    """The log. The script asks for the table alone when something has changed."""
    values = _listed()
    if request.headers.get("HX-Request"):
        return pages.fragment("notifications/log_rows.html", **values)
    return _page(values)


@bp.get("/console/notifications/<int:event_id>")
@page()
def event(event_id: int) -> Response:
    """One event at its own address: beside the log, with everything that came of it."""
    trace = _trace(event_id)
    if request.headers.get("HX-Request"):
        return pages.fragment("notifications/trace.html", trace=trace, titles=known_types.titles(pages.locale()))
    return _page(_listed() | {"trace": trace, "chosen": event_id})


@bp.get("/console/notifications/people")
@page()
def people() -> Response:
    """Who is linked with the workspace's bot, and who cannot be reached."""
    bot = linking.bot_for(actor().workspace_id, None)
    persons, following = logs.linked(bot.id if bot else None, cursor=request.args.get("cursor"))
    return pages.render(
        "notifications/people.html",
        "notifications",
        pages.t("console.nav.notifications"),
        tab="people",
        bot=bot,
        people=persons,
        following=following,
    )


@bp.post("/console/notifications/test")
@page()
def test() -> Response:
    """Sends the person a test message; who is not linked is told so where they link."""
    try:
        notifications.send_test_message(attribution(), known_people.get(actor().user_id))
    except Conflict:
        return pages.redirect_with_toast(
            url_for("console_telegram.telegram"), pages.t("console_notifications.test_unlinked")
        )
    return pages.redirect_with_toast(url_for("console_notifications.log"), pages.t("console_notifications.test_queued"))


def _page(values: dict[str, Any]) -> Response:
    return pages.render(
        "notifications/log.html", "notifications", pages.t("console.nav.notifications"), tab="log", **values
    )


def _trace(event_id: int) -> logs.Trace:
    if event_id > _MAX_ID:
        raise NotFound()
    return logs.trace(event_id)


def _listed() -> dict[str, Any]:
    """The table as the address asks for it. A filter that means nothing is left out, as if it were not there."""
    titles = known_types.titles(pages.locale())
    filters: dict[str, str] = {}
    type_name, decision, person = (request.args.get(name, "") for name in ("type", "decision", "person"))
    if type_name:
        filters["type"] = type_name[:64].replace("\0", "")
    if decision in DECISIONS:
        filters["decision"] = decision
    somebody = None
    if person.isascii() and person.isdigit() and len(person) < 20 and int(person) <= _MAX_ID:
        try:
            somebody = known_people.get(int(person))
        except AppError:
            raise NotFound("person_not_found", "There is no such person here.") from None
        filters["person"] = person
    entries, following = logs.entries(
        type_name=filters.get("type"),
        decision=filters.get("decision"),
        user_id=somebody.id if somebody else None,
        cursor=request.args.get("cursor"),
    )
    return {
        "entries": entries,
        "following": following,
        "filters": filters,
        "query": f"?{urlencode(filters)}" if filters else "",
        "somebody": somebody,
        "titles": titles,
        "decisions": DECISIONS,
        "trace": None,
        "chosen": None,
        "here": request.full_path.rstrip("?"),
    }
