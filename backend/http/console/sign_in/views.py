"""Signing in and out, and a new password by a link."""

from __future__ import annotations

from flask import Response, g, make_response, redirect, request

from backend.core import i18n
from backend.core.database import db
from backend.core.errors import AppError, Invalid, NotFound, TooManyRequests, Unauthorized, Unavailable
from backend.http import devices, limits
from backend.http.console.kit import pages, sessions
from backend.http.console.kit.guards import actor, page
from backend.http.console.kit.own_address import HOME, own_address
from backend.http.guards import public
from backend.services.auth import limits as counting
from backend.services.auth import password_resets, sign_in

bp = pages.blueprint("sign_in", __name__)


@bp.get("/")
@public("leads to the console")
def root() -> Response:
    """The instance's address, typed into a browser."""
    return pages.protect(make_response(redirect(HOME, 303)))


@bp.get("/console/sign-in")
@public("this is where people sign in")
def sign_in_form() -> Response:
    """The form; somebody who is signed in goes on."""
    try:
        sessions.caller(sessions.present())
    except Unauthorized:
        return _form()
    return make_response(redirect(_next(request.args.get("next")), 303))


@bp.post("/console/sign-in")
@public("this is where people sign in")
def sign_in_now() -> Response:
    """Takes address and password. A failure says nothing about which was wrong."""
    sessions.require_own_page(request)
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        begun = sign_in.by_password(email, password, devices.console_caller())
    except (Unauthorized, TooManyRequests, Unavailable) as error:
        db.session.rollback()
        return _form(email, error)
    response = make_response(redirect(_next(request.form.get("next")), 303))
    sessions.open_session(response, begun)
    devices.remember_in_cookie(response, begun.user_id)
    return pages.protect(response)


@bp.post("/console/sign-out")
@page()
def sign_out() -> Response:
    """Ends this sign-in, also for whoever may have copied its cookie."""
    caller = actor()
    assert caller.sign_in_id is not None, "the console goes by sign-ins"
    sign_in.end(caller.sign_in_id, caller.user_id)
    response = make_response(redirect("/console/sign-in", 303))
    sessions.close_session(response)
    return pages.protect(response)


@bp.get("/reset-password")
@public("the link's token is the credential")
def reset_form() -> Response:
    """Where the link of a password reset leads."""
    return _reset_page(request.args.get("token", ""))


@bp.post("/reset-password")
@public("the link's token is the credential")
def reset_now() -> Response:
    """Sets the new password and ends all sign-ins of the person."""
    sessions.require_own_page(request)
    token, password = request.form.get("token", ""), request.form.get("password", "")
    network = limits.network()
    try:
        counting.count_anonymous(network, counting.COST_WORK)
        user_id = password_resets.confirm(token, password, network=network)
    except (Invalid, NotFound, TooManyRequests, Unavailable) as error:
        db.session.rollback()
        return _reset_page(token, error)
    response = pages.redirect_with_toast("/console/sign-in", pages.t("console.reset.done"))
    # Whoever has the person's mail is no guesser, whatever others try meanwhile.
    devices.remember_in_cookie(response, user_id)
    return response


@bp.route("/console/<path:anything>")
@page()
def nowhere(anything: str) -> Response:
    """An address of the console that is none."""
    raise NotFound


def _form(email: str = "", error: AppError | None = None) -> Response:
    status = error.status if error is not None else 200
    g.pop("actor", None)
    response = pages.render(
        "sign_in/sign_in.html",
        "",
        pages.t("console.sign_in.title"),
        status,
        email=email,
        fault=None if error is None else _words_of(error),
        next=_next(request.values.get("next")),
    )
    return _retry_after(response, error)


def _reset_page(token: str, error: AppError | None = None) -> Response:
    status = error.status if error is not None else 200
    title = pages.t("console.reset.title")
    gone = isinstance(error, NotFound)
    fault = _reset_words(error) if error is not None and not gone else None
    response = pages.render("sign_in/reset.html", "", title, status, token=token, fault=fault, gone=gone)
    return _retry_after(response, error)


def _retry_after(response: Response, error: AppError | None) -> Response:
    if error is not None and error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _reset_words(error: AppError) -> str:
    code = f"console_faults.{error.code}"
    return pages.t(code) if code in i18n.catalog(pages.locale()) else _words_of(error)


def _words_of(error: AppError) -> str:
    if isinstance(error, TooManyRequests):
        return pages.t("console.sign_in.too_many", count=max(1, (error.retry_after or 60) // 60))
    if isinstance(error, Unavailable):
        return pages.t("console.sign_in.busy")
    if error.code == "account_disabled":
        return pages.t("console.sign_in.disabled")
    return pages.t("console.sign_in.refused")


def _next(wanted: str | None) -> str:
    """Where the person wanted to go; not back to the sign-in."""
    address = own_address(wanted)
    return HOME if "sign-in" in address.partition("?")[0] else address
