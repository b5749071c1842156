"""Who may open a page: `@page`, the console's counterpart of the API's `@access`, by cookie only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Response, current_app, g, redirect, request

from backend.core.database import db, workspace_scope
from backend.core.errors import Unauthorized
from backend.http import bodies, guards, limits, reruns
from backend.http.console.kit import form_replay, pages, sessions
from backend.http.guards import Guard, View
from backend.services.auth.actor import Actor
from backend.services.auth.attribution import Attribution

SIGN_IN = "/console/sign-in"
Answer = TypeVar("Answer")


def page(role: str = "viewer", *, owner: bool = False, max_body: int | None = None) -> Callable[[View], View]:
    """Marks a view that somebody signed in may open: the least `role`, or the instance's owner only.

    `max_body`: the largest body in bytes, where it differs from the application's bound.

    Runs it in their workspace and in one transaction, committed when it has returned, rolled back where its
    answer is a refusal. A write has to come from one of our pages. Who is not signed in is led there, and back.
    """
    guard = Guard(role=role, owner=owner, console=True, max_body=max_body)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            if max_body is not None:
                request.max_content_length = max_body
            return reruns.run(lambda: attempt(args, kwargs))

        def attempt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
            try:
                try:
                    actor = replace(sessions.caller(sessions.present()), via="console")
                except Unauthorized:
                    db.session.rollback()
                    return _to_sign_in()
                g.actor = actor
                if reruns.is_first():
                    limits.count_call(actor)
                if request.method not in ("GET", "HEAD"):
                    sessions.require_own_page(request, actor)
                guards.check(guard, actor, request.method)
                # Before any view reads it: PostgreSQL holds no NUL.
                bodies.check_pairs(request.args.items(multi=True))
                bodies.check_pairs(request.form.items(multi=True))
                with workspace_scope(actor.workspace_id):
                    pages.remember_person()
                    response = form_replay.once(actor, lambda: current_app.make_response(view(*args, **kwargs)), _again)
                    # A form that is shown again with its faults has changed nothing, whatever was tried on the way.
                    db.session.commit() if response.status_code < 400 else db.session.rollback()
            except BaseException:
                db.session.rollback()
                raise
            return response

        return guards.mark(guarded, guard)

    return decorate


def actor() -> Actor:
    """Who has opened the page; only inside a view under `@page`."""
    return guards.actor()


def attribution() -> Attribution:
    """Who has opened the page, for what keeps who did something; only inside a view under `@page`."""
    return guards.attribution()


def commit_and_ask(ask: Callable[[], Answer]) -> Answer:
    """Commits, then returns what `ask` does: it may be a network call, for no transaction is open while it runs.

    What the view has done until then is stored: it asks before it writes. What `ask` raises reaches the view.
    """
    form_replay.release()
    db.session.commit()
    return ask()


def _again(address: str, text: str, undo: str | None) -> Response:
    return pages.redirect_with_toast(address, text, undo=undo)


def _to_sign_in() -> Response:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/console/"
    address = f"{SIGN_IN}?next={quote(wanted)}"
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": address})
    return current_app.make_response(redirect(address, 303))
