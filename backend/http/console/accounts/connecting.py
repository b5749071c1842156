"""Connecting one's own account, step by step: the number, the code, a password; or a picture to scan.

A login has an address of its own, which only who began it opens; it always shows where the login stands now.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, redirect, request, url_for

from backend.core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unavailable
from backend.http.console.accounts import forms as account_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, commit_and_ask, page
from backend.http.schemas.integrations import Application, ConnectIn, VerifyCodeIn
from backend.services.accounts import access, connecting, integrations, logins
from backend.services.accounts.connecting import Step

bp = pages.blueprint("account_logins", __name__)

_EXPECTED = (Invalid, Conflict, TooManyRequests, Unavailable)
STAGES: Final = ("before", "code", "password", "done")
_STAGE_OF: Final = {"password_required": "password", "done": "done"}


@bp.get("/console/accounts/connect")
@page("operator")
def new() -> Response:
    """What to know before, then the number; a login that is under way can be gone on with."""
    return _start()


@bp.post("/console/accounts/connect")
@page("operator")
def begin() -> Response:
    """Has Telegram send a code. Sent twice it asks once: a login that is under way is gone on with."""
    me, given = actor(), forms.values("phone", "api_id", "api_hash")
    try:
        account_forms.require_read()
        wanted = forms.checked(ConnectIn, given)
        api_id, api_hash, phone = account_forms.text_of(wanted.api_id), wanted.api_hash, wanted.phone

        def ask() -> Step:
            settings = connecting.settings_of(me.workspace_id, api_id, api_hash)
            number = connecting.phone_of(me.workspace_id, phone)
            return connecting.ask_for_code(me.workspace_id, me.user_id, settings, number)

        step = commit_and_ask(ask)
    except _EXPECTED as error:
        return _start(error)
    return _on(step)


@bp.post("/console/accounts/connect/qr")
@page("operator")
def begin_with_picture() -> Response:
    """Has Telegram give a picture to scan, or shows the one that waits."""
    me, given = actor(), forms.values("api_id", "api_hash")
    try:
        account_forms.require_read()
        wanted = forms.checked(Application, given)
        api_id, api_hash = account_forms.text_of(wanted.api_id), wanted.api_hash

        def ask() -> Step:
            settings = connecting.settings_of(me.workspace_id, api_id, api_hash)
            return connecting.show_qr(me.workspace_id, me.user_id, settings)

        step = commit_and_ask(ask)
    except _EXPECTED as error:
        return _start(error)
    return _on(step)


@bp.get("/console/accounts/connect/<int:login_id>")
@page("operator")
def show(login_id: int) -> Response:
    """A login where it stands now. The script asks again when something has changed."""
    return _shown(connecting.present(actor().user_id, login_id))


@bp.post("/console/accounts/connect/<int:login_id>/code")
@page("operator")
def give_code(login_id: int) -> Response:
    """Gives the code that Telegram sent."""
    return _give(login_id, "code")


@bp.post("/console/accounts/connect/<int:login_id>/password")
@page("operator")
def give_password(login_id: int) -> Response:
    """Gives the password of the account."""
    return _give(login_id, "password")


@bp.post("/console/accounts/connect/<int:login_id>/resend")
@page("operator")
def resend(login_id: int) -> Response:
    """Has the code sent again, once for each time the page was shown."""
    me, seen = actor(), account_forms.seen()
    try:
        step = commit_and_ask(lambda: connecting.ask_again(me.workspace_id, me.user_id, login_id, seen))
    except _EXPECTED as error:
        return _shown(connecting.present(me.user_id, login_id), error)
    return pages.redirect_with_toast(
        url_for(".show", login_id=step.login_id), pages.t("console_accounts.said.sent_again")
    )


@bp.post("/console/accounts/connect/<int:login_id>/cancel")
@page("operator")
def cancel(login_id: int) -> Response:
    """Ends the login; nothing of it is kept."""
    me = actor()
    commit_and_ask(lambda: connecting.cancel(me.workspace_id, me.user_id, login_id))
    again = request.form.get("on") == "connect"
    return pages.redirect_with_toast(
        url_for(".new" if again else "console_accounts.listing"), pages.t("console_accounts.said.canceled")
    )


@bp.get("/console/accounts/<int:account_id>/connected")
@page("operator")
def connected(account_id: int) -> Response:
    """An account that was just connected: what happens now, and how it begins."""
    account = access.find(account_id)
    if not access.may_change(actor(), account):
        raise NotFound("account_not_found", "There is no such account.")
    return pages.render(
        "accounts/connected.html",
        "accounts",
        pages.t("console_accounts.connect.title"),
        account=integrations.describe([account])[0],
        stages=_stages("done", is_over=True),
        device=account.device,
    )


def _give(login_id: int, name: str) -> Response:
    me, seen = actor(), account_forms.seen()
    try:
        given = forms.checked(VerifyCodeIn, {name: account_forms.secret(name)})
        code = account_forms.digits_of(given.code) if given.code else None
        password = given.password

        def ask() -> Step:
            return connecting.give_code(me.workspace_id, me.user_id, None, code, password, seen=seen)

        step = commit_and_ask(ask)
    except _EXPECTED as error:
        present = connecting.present(me.user_id, login_id)
        if error.code == "password_required" and present.state == "password_required":
            return _on(present)
        return _shown(present, error)
    return _on(step)


def _on(step: Step) -> Response:
    """On to the address of a login, or of the account that it ended in."""
    return pages.protect(Response(status=303, headers={"Location": _address(step)}))


def _address(step: Step) -> str:
    if step.state == "done" and step.sender_id is not None:
        return url_for(".connected", account_id=step.sender_id)
    return url_for(".show", login_id=step.login_id)


def _start(error: AppError | None = None) -> Response:
    return pages.render(
        "accounts/connect.html",
        "accounts",
        pages.t("console_accounts.connect.title"),
        error.status if error else 200,
        stages=_stages("before"),
        typed=request.form.to_dict() if error else {},
        faults=account_forms.faults(error),
        under_way=connecting.under_way(actor().user_id),
        device=logins.device_name(),
    )


def _shown(step: Step, error: AppError | None = None) -> Response:
    if step.state == "done":
        by_script = bool(request.headers.get("HX-Request"))
        answer = Response(status=204, headers={"HX-Redirect": _address(step)}) if by_script else _to(_address(step))
        return pages.protect(answer)
    known: dict[str, Any] = {"faults": account_forms.faults(error)}
    if error is None and step.error_code is not None and step.state in ("code_required", "password_required"):
        known["faults"] = account_forms.faults(account_forms.refusal_of(step))
    return pages.render(
        "accounts/login.html",
        "accounts",
        pages.t("console_accounts.connect.title"),
        error.status if error else 200,
        step=step,
        stages=_stages(_STAGE_OF.get(step.state, "code"), is_over=step.state in ("failed", "expired")),
        reason=form_errors.message_of(account_forms.refusal_of(step)) if step.error_code else None,
        masked=integrations.masked_phone(step.phone),
        device=logins.device_name(),
        **known,
    )


def _to(address: str) -> Response:
    answer = redirect(address, 303)
    assert isinstance(answer, Response)
    return answer


def _stages(present: str, *, is_over: bool = False) -> list[tuple[str, str, str | None]]:
    """The steps with where one is; at its end the last one is done, or what stopped."""
    at = STAGES.index(present)
    states = {True: "ok" if present == "done" else "bad", False: "now"}
    return [
        (
            pages.t(f"console_accounts.stage.{name}"),
            "ok" if index < at else (states[is_over] if index == at else "todo"),
            None,
        )
        for index, name in enumerate(STAGES)
    ]
