"""Getting in and out, and one's own account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import Response, after_this_request, request

from backend.core.database import workspace_scope
from backend.core.errors import Unauthorized
from backend.http import devices, errors, guards, jwt, limits
from backend.http.guards import access, public
from backend.http.schemas.auth import (
    Login,
    Me,
    PasswordChange,
    PasswordResetConfirmation,
    PasswordResetRequest,
    ProfileChange,
    Registration,
    SignedIn,
    Status,
    TokenPair,
)
from backend.models import SignIn
from backend.services import mail
from backend.services.auth import limits as counting
from backend.services.auth import password_resets, people, registration, sign_in

bp = APIBlueprint("auth", __name__, url_prefix="/api/auth", tag="Signing in")
_BUSY = "Very many people are signing in at this moment (`sign_in_busy`); `Retry-After` says when to come back"


@bp.post("/register")
@public("somebody who has no account yet")
@bp.input(Registration)
@bp.output(SignedIn, status_code=201)
@bp.doc(responses={403: "Registration is by invitation only", 409: "The address is taken", 503: _BUSY})
def register(json_data: Registration) -> dict[str, Any]:
    """Register and open a workspace

    The caller becomes the admin of a new workspace. Refused with `registration_closed` where registration is by
    invitation.
    """
    network = limits.network()
    counting.count_registration(network)
    person = registration.register(
        json_data.email, json_data.password, json_data.name, json_data.workspace, network=network
    )
    return _signed_in(sign_in.start(person, request.user_agent.string, network))


@bp.post("/login")
@public("this is where credentials come from")
@bp.input(Login)
@bp.output(SignedIn)
@bp.doc(responses={401: "The address or the password is wrong", 503: _BUSY})
def login(json_data: Login) -> dict[str, Any]:
    """Sign in

    Failed attempts are limited per account and network, so that nobody's failures refuse somebody elsewhere. A program
    that sends the `X-Device-Token` of its last answer, or an earlier token of the account as bearer, is limited by its
    own failures alone.
    """
    return _signed_in(sign_in.by_password(json_data.email, json_data.password, devices.api_caller()))


@bp.post("/refresh")
@public("carries its refresh token as bearer")
@bp.output(TokenPair)
@bp.doc(security="refreshToken", responses={401: "Not a refresh token in force; `token_reused` ends its sign-in"})
def refresh() -> dict[str, str] | Response:
    """Exchange a refresh token

    Takes the refresh token as bearer and answers with two new tokens. Each refresh token works once: using one again
    ends the whole sign-in, because somebody else may have a copy.
    """
    try:
        claims = jwt.read(guards.bearer(), "refresh")
    except Unauthorized:
        limits.count_refused_token()
        raise
    counting.count_call(f"sign_in:{claims.sign_in_id}")
    rotation = sign_in.rotate(claims.user_id, claims.sign_in_id, claims.jti, limits.network())
    if rotation.reused:
        # Returned and not raised: that the family is revoked has to be stored.
        return errors.answer(Unauthorized("token_reused", "This refresh token was used before; sign in again."))
    return _pair(rotation.sign_in)


@bp.post("/logout")
@access(tokens=False)
@bp.output(Status)
def logout() -> dict[str, str]:
    """Sign out

    Ends this sign-in: its access and refresh tokens stop working at once.
    """
    caller = guards.actor()
    assert caller.sign_in_id is not None, "personal tokens are refused"
    sign_in.end(caller.sign_in_id, caller.user_id)
    return {"status": "success", "message": "Signed out."}


@bp.get("/me")
@access()
@bp.output(Me)
def me() -> dict[str, Any]:
    """Who am I"""
    return _me(guards.actor().user_id)


@bp.patch("/me")
@access()
@bp.input(ProfileChange)
@bp.output(Me)
def change_me(json_data: ProfileChange) -> dict[str, Any]:
    """Change name, language or time zone"""
    caller = guards.actor()
    people.change_profile(caller, name=json_data.name, locale=json_data.locale, timezone=json_data.timezone)
    return _me(caller.user_id)


@bp.post("/password")
@access(tokens=False)
@bp.input(PasswordChange)
@bp.output(Status)
@bp.doc(responses={503: _BUSY})
def change_password(json_data: PasswordChange) -> dict[str, str]:
    """Change the password

    Ends all other sign-ins. Personal access tokens stay.
    """
    people.change_password(guards.actor(), json_data.current_password, json_data.new_password)
    return {"status": "success", "message": "Password changed."}


@bp.post("/password-reset")
@public("somebody who cannot sign in")
@bp.input(PasswordResetRequest)
@bp.output(Status, status_code=202)
def request_password_reset(json_data: PasswordResetRequest) -> dict[str, str]:
    """Ask for a password reset

    Answers the same whether the account exists or not.
    """
    counting.count_anonymous(limits.network(), counting.COST_WORK)
    password_resets.request(json_data.email)
    way = "a link is on its way to its address." if mail.is_configured() else "a reset link can be had; ask your admin."
    return {"status": "accepted", "message": f"If this account exists, {way}"}


@bp.post("/password-reset/confirm")
@public("the link's token is the credential")
@bp.input(PasswordResetConfirmation)
@bp.output(Status)
@bp.doc(responses={404: "The link is unknown, used or expired", 503: _BUSY})
def confirm_password_reset(json_data: PasswordResetConfirmation) -> dict[str, str]:
    """Set a new password with a reset link

    Ends all sign-ins of the person.
    """
    network = limits.network()
    counting.count_anonymous(network, counting.COST_WORK)
    user_id = password_resets.confirm(json_data.token, json_data.password, network=network)
    # Whoever has the person's mail is no guesser, whatever others try meanwhile.
    after_this_request(_remembering(user_id))
    return {"status": "success", "message": "Password set; sign in with it."}


def _remembering(user_id: int) -> Callable[[Response], Response]:
    def remember(response: Response) -> Response:
        if response.status_code < 400:
            devices.remember_in_header(response, user_id)
        return response

    return remember


def _signed_in(begun: SignIn) -> dict[str, Any]:
    after_this_request(_remembering(begun.user_id))
    with workspace_scope(begun.workspace_id):
        return {**_pair(begun), "user": _me(begun.user_id)}


def _pair(begun: SignIn) -> dict[str, str]:
    expires = begun.expires_at.timestamp()
    return {
        "access_token": jwt.access_token(begun.user_id, begun.id),
        "refresh_token": jwt.refresh_token(begun.user_id, begun.id, begun.current_jti, expires),
    }


def _me(user_id: int) -> dict[str, Any]:
    person, workspace = people.profile(user_id)
    fields = ("id", "email", "name", "role", "is_owner", "locale", "timezone")
    return {**{field: getattr(person, field) for field in fields}, "workspace": workspace}
