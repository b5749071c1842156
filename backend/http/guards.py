"""Who may call a view. Every route carries `@access` or `@public`, directly under its route; start-up fails otherwise.

`@access` finds out who is calling, checks role and scope, enters their workspace, runs the view in one transaction, and
commits when it has returned; any exception rolls everything back. Credentials are taken from headers only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from backend.compat.apiflask import spec_of
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Forbidden, Unauthorized
from backend.http import idempotency, jwt, limits, reruns, unknown_fields
from backend.services.auth import credentials
from backend.services.auth.actor import READ, WRITE, Actor
from backend.services.auth.attribution import Attribution

PUBLIC_MAX_BODY = 256 * 1024
"""The largest body in bytes of a request that needs no credentials, unless its view says otherwise."""

View = Callable[..., Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Guard:
    """What a view asks of its caller, kept on the view for start-up checks, the API document and the tests."""

    role: str | None = None
    scope: str | None = None
    owner: bool = False
    idempotent: bool = False
    tokens: bool = True
    console: bool = False
    """A page of the console, which goes by its cookie."""
    max_body: int | None = None
    """The largest body in bytes, where it differs from the application's bound."""
    any_body: bool = False
    """The view takes no body and passes over the one that another system may send with the call."""
    reason: str | None = None
    """Why the view is open to everybody; None for one that is not."""

    @property
    def is_public(self) -> bool:
        """Whether no credentials are asked for."""
        return self.reason is not None


def actor() -> Actor:
    """Who is calling; only inside a view under `@access`."""
    known: Actor = g.actor
    return known


def attribution() -> Attribution:
    """Who is calling, for what keeps who did something; only inside a view under `@access`."""
    return actor().by


class _NeedsAnswer(Exception):
    """A view needs an answer before it can go on."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        super().__init__()
        self.ask = ask


def ask_and_rerun(ask: Callable[[], Answer]) -> Answer:
    """Returns what `ask` does, after a rollback and a second run of the view: `ask` may be a network call.

    For a view that takes an `Idempotency-Key`, whose row is part of the transaction, and so cannot commit halfway. The
    view is left, rolled back and run again with the answer, therefore it asks before it writes, the same each time, and
    `ask` holds plain values only. What it raises reaches the caller, with nothing stored.
    """
    answers: list[Any] = g.answers
    place = g.answers_used
    g.answers_used += 1
    if place == len(answers):
        raise _NeedsAnswer(ask)
    answer: Answer = answers[place]
    return answer


def bearer() -> str:
    """The token of the request's Authorization header. Raises Unauthorized."""
    return token_of(request.headers.get("Authorization", ""))


def token_of(header: str) -> str:
    """The token of an Authorization header. Raises Unauthorized."""
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized()
    return token.strip()


def authenticate() -> Actor:
    """Who the request's bearer token, of a sign-in or a personal one, speaks for.

    Raises Unauthorized, and TooManyRequests for a network that has tried very many tokens.
    """
    token = bearer()
    try:
        return by_token(token)
    except Unauthorized:
        # A forged JWT costs nothing; whether a personal token exists is a question to the database.
        if token.startswith(credentials.TOKEN_PREFIX):
            limits.count_refused_token()
        raise


def by_token(token: str) -> Actor:
    """Who a bearer token speaks for, outside of a request as well. Raises Unauthorized."""
    if token.startswith(credentials.TOKEN_PREFIX):
        return credentials.by_personal_token(token)
    claims = jwt.read(token, "access")
    return credentials.by_sign_in(claims.user_id, claims.sign_in_id)


def access(
    role: str = "viewer",
    scope: str | None = None,
    owner: bool = False,
    idempotent: bool = False,
    *,
    tokens: bool = True,
    redact: tuple[str, ...] = (),
    max_body: int | None = None,
    limit: str = "api",
    any_body: bool = False,
) -> Callable[[View], View]:
    """Marks a view that needs credentials.

    `role`: the least role. `owner`: the instance owner only. `scope`: what a personal token must carry; by default
    `read` for GET and `write` for everything else. `tokens=False` refuses personal tokens altogether. `idempotent`:
    the view takes an `Idempotency-Key`; the answer's fields named in `redact` are not kept for the replay.
    `max_body`: the largest body in bytes, where it differs from the application's bound. `limit`: the rate limit that
    counts the call. `any_body`: a body that comes with a call which takes none is passed over and not refused.
    """
    guard = Guard(
        role=role,
        scope=scope,
        owner=owner,
        idempotent=idempotent,
        tokens=tokens,
        max_body=max_body,
        any_body=any_body,
    )

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            if max_body is not None:
                request.max_content_length = max_body
            g.answers = []
            while True:
                try:
                    return reruns.run(lambda: attempt(args, kwargs))
                except _NeedsAnswer as question:
                    g.answers.append(question.ask())

        def attempt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
            g.answers_used = 0
            try:
                caller = authenticate()
                if not g.answers and reruns.is_first():
                    limits.count_call(caller, limit)
                check(guard, caller, request.method)
                g.actor = caller
                with workspace_scope(caller.workspace_id):
                    if idempotent:
                        response = idempotency.once(caller, redact, lambda: _run(guard, view, args, kwargs))
                    else:
                        response = _run(guard, view, args, kwargs)
                    db.session.commit()
            except BaseException:
                db.session.rollback()
                raise
            return response

        return mark(guarded, guard)

    return decorate


def public(reason: str, *, max_body: int = PUBLIC_MAX_BODY) -> Callable[[View], View]:
    """Marks a view that anybody may call, and says why. It runs in one transaction, in no scope of its own.

    `max_body`: the largest body in bytes.
    """
    guard = Guard(reason=reason, max_body=max_body)

    def decorate(view: View) -> View:
        @wraps(view)
        def opened(*args: Any, **kwargs: Any) -> Response:
            request.max_content_length = max_body
            return reruns.run(lambda: attempt(args, kwargs))

        def attempt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
            try:
                response = _run(guard, view, args, kwargs)
                with system_scope("an open view enters its own scopes; what it left is stored"):
                    db.session.commit()
            except BaseException:
                db.session.rollback()
                raise
            return response

        return mark(opened, guard)

    return decorate


def guard_of(view: View) -> Guard | None:
    """The guard of a registered view; None where it has none, or something was put in front of it."""
    marked: tuple[View, Guard] | None = getattr(view, "_guarded", None)
    return marked[1] if marked is not None and marked[0] is view else None


def guard_for(app: Flask, method: str, path: str) -> Guard | None:
    """The guard of the view that answers such a request; None where no view does."""
    try:
        endpoint, _ = app.url_map.bind("").match(path, method=method)
    except (HTTPException, RequestRedirect):
        return None
    return guard_of(app.view_functions[endpoint])


def check_all(app: APIFlask) -> None:
    """Raises RuntimeError naming every route without a guard, or with something in front of it."""
    open_routes = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if guard_of(app.view_functions[rule.endpoint]) is None
    ]
    if open_routes:
        raise RuntimeError(
            "@access or @public has to stand directly under the route of: " + ", ".join(sorted(open_routes))
        )


def mark(view: View, guard: Guard) -> View:
    """Puts a guard's mark on the view that it made."""
    view._guarded = (view, guard)  # type: ignore[attr-defined]
    return view


def _run(guard: Guard, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
    declared = spec_of(view)
    takes_none = "response" in declared and "body" not in declared and not guard.any_body
    if takes_none and request.method not in ("GET", "HEAD"):
        queries = [schema for schema, place in declared.get("args", ()) if place == "query"]
        unknown_fields.refuse_unread(request, {name for schema in queries for name in schema.model_fields})
    return current_app.make_response(view(*args, **kwargs))


def check(guard: Guard, caller: Actor, method: str) -> None:
    """Checks that a caller may use a view by this method. Raises Forbidden."""
    if caller.sign_in_id is None:
        if not guard.tokens:
            raise Forbidden("sign_in_required", "A personal access token cannot do this; sign in.")
        needed = guard.scope or (READ if method in ("GET", "HEAD") else WRITE)
        if not caller.may(needed):
            raise Forbidden("scope_missing", f"The token does not have the scope {needed}.")
    if guard.owner and not caller.is_owner:
        raise Forbidden("owner_required", "Only an owner of this instance may do this.")
    if guard.role is not None and not caller.reaches(guard.role):
        raise Forbidden("role_required", f"This needs the role {guard.role}.")
