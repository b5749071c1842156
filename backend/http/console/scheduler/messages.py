"""A scheduled message in the console: planned with its next times shown, changed, switched off and on, said now, and
what came of it. The list stands on the scheduler's page."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid, NotFound
from backend.http import bodies
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.console.scheduler import contents as content_form
from backend.http.console.scheduler import forms as message_form
from backend.http.schemas.scheduled_messages import ScheduledMessageChange, ScheduledMessageIn
from backend.services import scheduled_messages
from backend.services.bots import catalog
from backend.services.scheduled_messages import Planned, contents, sending
from backend.services.scheduling import timing

bp = pages.blueprint("scheduled_messages", __name__)

_NAV = "scheduler"
_MAX_BOTS = 200
_WRONG = (Invalid, Conflict, NotFound)


@bp.get("/console/scheduler/messages/new")
@page("operator")
def new() -> Response:
    """The form for another message."""
    return _form(None, {"kind": "cron", "timezone": pages.zone().key, "enabled": "on"})


@bp.post("/console/scheduler/messages")
@page("operator")
def create() -> Response:
    """Plans a message; what is wrong with it stands at its fields."""
    try:
        given = forms.checked(ScheduledMessageIn, message_form.given() | content_form.given(None))
        message = scheduled_messages.create(attribution(), given.model_dump())
    except _WRONG as error:
        return _form(None, request.form.to_dict(), error)
    return _done(message.message.id, pages.t("console_scheduler.said.planned"))


@bp.get("/console/scheduler/messages/preview")
@page("operator")
def preview() -> Response:
    """The next three times of a timing that is being typed, or why there are none."""
    bodies.check_pairs(request.args.items(multi=True))
    return pages.fragment("scheduler/timing_preview.html", **_coming(request.args.to_dict()))


@bp.get("/console/scheduler/messages/timing")
@page("operator")
def timing_fields() -> Response:
    """The fields of the kind that was chosen, and its next times."""
    bodies.check_pairs(request.args.items(multi=True))
    typed = request.args.to_dict()
    return pages.fragment(
        "scheduler/timing_fields.html", typed=typed, faults={}, units=list(message_form.UNITS), **_coming(typed)
    )


@bp.get("/console/scheduler/messages/content")
@page("operator")
def content_fields() -> Response:
    """The fields of what was chosen to be sent."""
    bodies.check_pairs(request.args.items(multi=True))
    typed = content_form.typed_values()
    return pages.fragment("scheduler/content_fields.html", typed=typed, faults={}, severities=content_form.SEVERITIES)


@bp.get("/console/scheduler/messages/<int:message_id>")
@page()
def show(message_id: int) -> Response:
    """A message, and each time it was due with what came of it."""
    return _show(message_id)


@bp.get("/console/scheduler/messages/<int:message_id>/change")
@page("operator")
def change_form(message_id: int) -> Response:
    """The form with what is planned."""
    planned = scheduled_messages.get(message_id)
    return _form(planned, message_form.typed(planned))


@bp.post("/console/scheduler/messages/<int:message_id>/change")
@page("operator")
def change(message_id: int) -> Response:
    """Changes a message from now on."""
    planned = scheduled_messages.get(message_id)
    try:
        given = message_form.given() | content_form.given(planned.message)
        before = message_form.typed(planned)
        if all(given.get(name) == before.get(name) for name in ("kind", "run_at", "timezone")):
            # As it was shown, without the parts of a second: the same moment, and not another.
            given.pop("run_at", None)
        elif given.get("kind") != "cron":
            given.setdefault("run_at", None)
        fields = forms.checked(ScheduledMessageChange, given).model_dump(exclude_unset=True)
        scheduled_messages.change(attribution(), message_id, fields)
    except _WRONG as error:
        return _form(planned, request.form.to_dict(), error)
    return _done(message_id, pages.t("console_scheduler.said.saved"))


@bp.post("/console/scheduler/messages/<int:message_id>/pause")
@page("operator")
def pause(message_id: int) -> Response:
    """Switches a message off."""
    return _switched(message_id, False, "console_scheduler.said.paused")


@bp.post("/console/scheduler/messages/<int:message_id>/resume")
@page("operator")
def resume(message_id: int) -> Response:
    """Switches a message on, from now."""
    return _switched(message_id, True, "console_scheduler.said.resumed")


@bp.post("/console/scheduler/messages/<int:message_id>/run")
@page("operator")
def run(message_id: int) -> Response:
    """Has it said now; its next time stays."""
    try:
        scheduled_messages.run_now(attribution(), message_id)
    except (Invalid, Conflict) as error:
        return _show(message_id, error)
    except NotFound as error:
        if error.code != "bot_not_found":
            raise
        return _show(message_id, error)
    return _done(message_id, pages.t("console_scheduler.said.run"))


@bp.post("/console/scheduler/messages/<int:message_id>/delete")
@page("operator")
def delete(message_id: int) -> Response:
    """Takes a message back, with its history."""
    scheduled_messages.remove(attribution(), message_id)
    return pages.redirect_with_toast(url_for("console_scheduler.overview"), pages.t("console_scheduler.said.deleted"))


def _switched(message_id: int, on: bool, words: str) -> Response:
    try:
        scheduled_messages.change(attribution(), message_id, {"enabled": on})
    except Invalid as error:
        return _show(message_id, error)
    return _done(message_id, pages.t(words))


def _coming(typed: dict[str, str]) -> dict[str, Any]:
    """The next times of what was typed so far; while a field is empty, nothing is wrong yet."""
    given = message_form.timed(
        {name: typed[name].strip() for name in message_form.TIMING if typed.get(name, "").strip()}
    )
    needed = {"cron": "cron", "interval": "interval_seconds", "once": "run_at"}.get(given.get("kind", ""))
    if needed is None or needed not in given:
        return {"coming": [], "unclear": None, "zone_name": given.get("timezone", "UTC")}
    try:
        fields = forms.checked(ScheduledMessageIn, given | {"message": "-"}).model_dump()
        moments = scheduled_messages.coming(fields)
    except Invalid as error:
        return {
            "coming": [],
            "unclear": next(iter(form_errors.by_field(error, message_form.FORM).values())),
            "zone_name": "",
        }
    zone = timing.zone_of(fields["timezone"])
    return {"coming": [(moment, moment.astimezone(zone)) for moment in moments], "unclear": None, "zone_name": zone.key}


def _form(planned: Planned | None, typed: dict[str, str], error: AppError | None = None) -> Response:
    bots, _ = catalog.listing(limit=_MAX_BOTS)
    names = [bot.name for bot in bots]
    if typed.get("bot_name") and typed["bot_name"] not in names:
        names.append(typed["bot_name"])
    by_field = form_errors.by_field(content_form.at_its_field(error), message_form.FORM) if error is not None else {}
    coming = _coming(typed)
    if by_field.keys() & {"kind", *message_form.TIMING}:
        coming["unclear"] = None  # it stands at its field
    return pages.render(
        "scheduler/form.html",
        _NAV,
        pages.t("console_scheduler.change.title" if planned else "console_scheduler.new.title"),
        error.status if error is not None else 200,
        planned=planned,
        typed=typed,
        faults=by_field,
        names=names,
        units=list(message_form.UNITS),
        severities=content_form.SEVERITIES,
        zones=_zones(),
        width="text",
        **coming,
    )


def _show(message_id: int, error: AppError | None = None) -> Response:
    planned = scheduled_messages.get(message_id)
    occasions, following = scheduled_messages.history(message_id, cursor=request.args.get("cursor"))
    return pages.render(
        "scheduler/message.html",
        _NAV,
        pages.t("console_scheduler.message.title"),
        error.status if error is not None else 200,
        planned=planned,
        chats=sending.chat_ids_of(planned.message),
        content=contents.of(planned.message),
        occasions=occasions,
        following=following,
        fault=form_errors.message_of(error) if error is not None else None,
    )


def _done(message_id: int, words: str) -> Response:
    return pages.redirect_with_toast(url_for("console_scheduled_messages.show", message_id=message_id), words)


@cache
def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/")))
