"""What every page stands on: its blueprint, its words, its times, its errors, and what is said after an act."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from babel.dates import format_date, format_datetime, format_skeleton, format_time
from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from backend.core import clock, i18n
from backend.core.database import db, workspace_scope
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.http import errors
from backend.http.console.kit import assets, components, form_replay, sessions
from backend.http.console.kit.navigation import GROUPS, Entry
from backend.services.auth import people
from backend.services.auth.actor import Actor, reaches

log = get_logger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
THEMES: Final = ("light", "dark")
_TOAST: Final = "toast"


def blueprint(name: str, module: str) -> APIBlueprint:
    """A page's blueprint: `console_<name>`, with errors that are pages, and the templates beside `module`."""
    new = APIBlueprint(f"console_{name}", module, enable_openapi=False, template_folder="templates")
    new.register_error_handler(AppError, failure)
    new.register_error_handler(HTTPException, _refused)
    new.register_error_handler(Exception, _unexpected)
    return new


def locale() -> str:
    """The language of this answer: the person's, or before the sign-in what the browser asks for."""
    known: str | None = g.get("locale")
    if known is None:
        chosen = request.cookies.get("locale") or request.accept_languages.best_match(list(i18n.LOCALES))
        known = g.locale = i18n.negotiate(chosen)
    return known


def zone() -> ZoneInfo:
    """The person's time zone."""
    return ZoneInfo(g.get("timezone") or "UTC")


def t(code: str, /, **values: object) -> str:
    """A text in the language of this answer."""
    return i18n.text(code, locale(), **values)


def render(template: str, page: str, title: str, status: int = 200, **values: Any) -> Response:
    """A whole page in the shell. `page` is its key in the navigation, `title` a text."""
    me = _me()
    moment = clock.now()
    shown = render_template(
        template,
        page=page,
        title=title,
        me=me,
        groups=_groups(g.get("actor")),
        theme=request.cookies.get("theme") if request.cookies.get("theme") in THEMES else None,
        toast=_taken_toast(),
        path=request.full_path.rstrip("?"),
        server_now=moment.isoformat(timespec="milliseconds"),
        **values,
    )
    response = make_response(shown, status)
    protect(response)
    if request.cookies.get(_TOAST):
        response.delete_cookie(_TOAST, path="/console")
    return response


def fragment(template: str, status: int = 200, **values: Any) -> Response:
    """A part of a page, for a request by the script."""
    return protect(make_response(render_template(template, **values), status))


def redirect_with_toast(address: str, text: str, *, undo: str | None = None) -> Response:
    """After an act: on to `address`, where `text` is shown in a toast, with a way back if there is one."""
    toast = json.dumps({"text": text, "undo": undo} if undo else {"text": text})
    g.done = address, text, undo
    if request.headers.get("HX-Request"):
        # Header values are Latin-1: other letters are escaped as JSON does it.
        return protect(
            make_response("", 204, {"HX-Trigger": json.dumps({"toast": json.loads(toast), "done": address})})
        )
    response = make_response(redirect(address, 303))
    response.set_cookie(_TOAST, toast.encode().hex(), max_age=20, httponly=True, samesite="Lax", path="/console")
    return protect(response)


def protect(response: Response) -> Response:
    """The strict policy of every page."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def failure(error: AppError) -> Response:
    """An error as a page in the console's voice; the script gets a toast instead."""
    if error.status >= 500:
        log.error("console_error", code=error.code)
    if request.headers.get("HX-Request"):
        trigger = json.dumps({"toast": {"text": error.message}})
        response = protect(make_response("", error.status, {"HX-Trigger": trigger, "HX-Reswap": "none"}))
    else:
        values = {"error": error, "request_id": g.get("request_id")}
        response = render("kit/error.html", "", t("console.error.title"), error.status, **values)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _refused(error: HTTPException) -> Response:
    """What the framework refuses, such as a form that is too large."""
    kind = errors.BY_STATUS.get(error.code or 500)
    if kind is None:
        return make_response(error)
    return failure(kind())


def _unexpected(error: Exception) -> Response:
    db.session.rollback()
    log.error("unexpected_error", kind=type(error).__name__, path=request.path, exc_info=error)
    return failure(AppError())


def when(value: datetime | None, *, ago: bool = False, left: bool = False, style: str = "short") -> Markup:
    """A moment in the person's zone: the time of day today, with the date otherwise. The script adds the rest.

    `style`: `date` for the date alone, `day` for the time of day today and for day and month otherwise.
    """
    if value is None:
        return Markup("–")
    local = value.astimezone(zone())
    today = clock.now().astimezone(zone()).date()
    if style == "date":
        shown = format_date(local, "medium", locale=locale())
    elif local.date() == today:
        shown = format_time(local, "short", locale=locale())
    elif style == "day":
        shown = format_skeleton("MMMd", local, locale=locale())
    else:
        shown = format_datetime(local, "short", locale=locale())
    if ago:
        return Markup('<time datetime="{}" data-ago>{}</time>').format(value.isoformat(), shown)
    if left:
        return Markup('<time datetime="{}" data-left>{}</time>').format(value.isoformat(), shown)
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), shown)


def install(app: Flask) -> None:
    """Gives the templates their words and times."""
    app.jinja_env.globals.update(
        t=t, when=when, asset=assets.address, number=lambda value: i18n.number(value, locale()), lang=locale
    )
    app.jinja_env.globals.update(
        ui=components.Components(app.jinja_env),
        has_page=has_page,
        may=may,
        form_id=form_replay.form_id,
        csrf_token=csrf_token,
    )
    # A line that holds nothing but a statement leaves nothing behind, so that templates can be laid out.
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def csrf_token() -> str:
    """What the forms of this sign-in carry; nothing before it."""
    return sessions.csrf_token(g.actor) if g.get("actor") else ""


def has_page(endpoint: str) -> bool:
    """Whether this instance has the page, so that one links to another only where it exists."""
    return endpoint in current_app.view_functions


def may(role: str) -> bool:
    """Whether who has opened the page has at least this role: what they may not do is not offered."""
    actor: Actor | None = g.get("actor")
    return actor is not None and reaches(actor.role, role)


def _me() -> dict[str, Any] | None:
    actor: Actor | None = g.get("actor")
    if actor is None:
        return None
    if "me" not in g:
        try:
            with workspace_scope(actor.workspace_id):
                person, workspace = people.profile(actor.user_id)
        except AppError:
            return None
        g.me = {
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "role": person.role,
            "timezone": person.timezone,
            "workspace": workspace.name,
        }
        g.locale, g.timezone = i18n.negotiate(person.locale), person.timezone
    me: dict[str, Any] = g.me
    return me


def remember_person() -> None:
    """Reads the person before the first word is said: their language and zone hold for the whole answer."""
    _me()


def _groups(actor: Actor | None) -> list[tuple[str | None, list[Entry]]]:
    if actor is None:
        return []
    known = current_app.view_functions
    shown = [
        (key, [entry for entry in entries if entry.endpoint in known and _may_open(actor, entry)])
        for key, entries in GROUPS
    ]
    return [(key, entries) for key, entries in shown if entries]


def _may_open(actor: Actor, entry: Entry) -> bool:
    return reaches(actor.role, entry.role) and (actor.is_owner or not entry.owner)


def _taken_toast() -> dict[str, str] | None:
    raw = request.cookies.get(_TOAST)
    if not raw:
        return None
    try:
        toast = json.loads(bytes.fromhex(raw).decode())
    except ValueError:
        return None
    if not isinstance(toast, dict) or not isinstance(toast.get("text"), str):
        return None
    undo = toast.get("undo")
    local = isinstance(undo, str) and undo.startswith("/console/")
    return {"text": toast["text"], **({"undo": undo} if local else {})}
