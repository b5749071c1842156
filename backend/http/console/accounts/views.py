"""The accounts: their state and why, what they may still send, who sends from them, and removing one."""

from __future__ import annotations

from typing import Any, Final, cast

from flask import Response, request, url_for

from backend.core import clock
from backend.core.errors import AppError, Conflict, Forbidden, Invalid
from backend.http.console.accounts import forms as account_forms
from backend.http.console.accounts import hours, shown
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, page
from backend.http.schemas.integrations import IntegrationChange, RemoveQuery
from backend.models import Account
from backend.models.user import OPERATOR
from backend.services.accounts import access, health, integrations
from backend.services.auth import people
from backend.services.auth.actor import reaches

bp = pages.blueprint("accounts", __name__)

_EXPECTED = (Invalid, Conflict, Forbidden)
_PEOPLE: Final = 200
"""So many people are offered by name; a larger workspace gives the account to all of them or to none."""


@bp.get("/console/accounts")
@page()
def listing() -> Response:
    """The accounts of the workspace, the oldest first."""
    accounts = access.all_of_workspace()
    return pages.render(
        "accounts/listing.html",
        "accounts",
        pages.t("console.nav.accounts"),
        accounts=shown.all_of(actor(), accounts),
    )


@bp.get("/console/accounts/<int:account_id>/pace")
@page()
def pace(account_id: int) -> Response:
    """What an account sent in the last 24 hours and when it may go on: a part of the list."""
    known, account, now = integrations.pace_of(actor(), account_id), access.find(account_id), clock.now()
    return pages.fragment(
        "accounts/pace.html",
        pace=known,
        hours=hours.strip(known, now, pages.zone()),
        pause=health.campaigns_pause(account, now),
        pause_until=account.campaigns_paused_until,
    )


@bp.post("/console/accounts/<int:account_id>/resume")
@page("operator")
def resume(account_id: int) -> Response:
    """Somebody has decided that campaigns go on from an account that Telegram limited."""
    try:
        account = integrations.resume(actor(), account_id)
    except Conflict as error:
        return pages.redirect_with_toast(url_for(".listing"), form_errors.message_of(error))
    return pages.redirect_with_toast(
        url_for(".listing"), pages.t("console_accounts.said.resumed", name=shown.name_of(account))
    )


@bp.get("/console/accounts/<int:account_id>/senders")
@page("operator")
def senders_form(account_id: int) -> Response:
    """Asks who besides the owner starts campaigns from it."""
    return _senders(_changeable(account_id))


@bp.post("/console/accounts/<int:account_id>/senders")
@page("operator")
def change_senders(account_id: int) -> Response:
    """Names who besides the owner starts campaigns from it."""
    account = _changeable(account_id)
    who = request.form.get("who", "owner")
    given: Any = {"workspace": "workspace", "some": request.form.getlist("user")}.get(who, [])
    try:
        wanted = forms.checked(IntegrationChange, {"senders": given})
        integrations.change_senders(actor(), account_id, wanted.senders or [])
    except Invalid as error:
        return _senders(account, error)
    return pages.redirect_with_toast(
        url_for(".listing"), pages.t("console_accounts.said.senders", name=shown.name_of(account))
    )


@bp.get("/console/accounts/<int:account_id>/remove")
@page("operator")
def remove_form(account_id: int) -> Response:
    """Asks before the account is logged out."""
    return _removal(_changeable(account_id))


@bp.post("/console/accounts/<int:account_id>/remove")
@page("operator")
def remove(account_id: int) -> Response:
    """Logs the account out at Telegram. Where campaigns still have to send from it, it asks what becomes of that."""
    account = _changeable(account_id)
    name = shown.name_of(account)
    try:
        wanted = forms.checked(RemoveQuery, forms.values("pending", "to"))
        integrations.remove(actor(), account_id, wanted.pending, wanted.to)
    except _EXPECTED as error:
        return _removal(account, error)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_accounts.said.removed", name=name))


def _changeable(account_id: int) -> Account:
    account = access.find(account_id)
    if not access.may_change(actor(), account):
        raise Forbidden("not_your_account", pages.t("console_faults.not_your_account"))
    return account


def _senders(account: Account, error: Invalid | None = None) -> Response:
    listed, following = people.listing(cursor=None, limit=_PEOPLE)
    allowed = account.allowed_senders
    return pages.render(
        "accounts/senders.html",
        "accounts",
        pages.t("console_accounts.senders.title"),
        error.status if error else 200,
        account=integrations.describe([account])[0],
        people=[person for person in listed if person.id != account.owner_user_id and reaches(person.role, OPERATOR)],
        more=following is not None,
        who="workspace" if access.WORKSPACE in allowed else ("some" if allowed else "owner"),
        allowed=allowed,
        faults=account_forms.faults(error),
    )


def _removal(account: Account, error: AppError | None = None) -> Response:
    use = error.detail if error is not None and error.code == "account_in_use" else None
    asked = use is not None or "pending" in request.form
    others = [other for other in access.all_of_workspace() if other.sender_id != account.sender_id] if asked else []
    return pages.render(
        "accounts/remove.html",
        "accounts",
        pages.t("console_accounts.remove.title"),
        error.status if error else 200,
        account=integrations.describe([account])[0],
        use=cast(dict[str, int] | None, use),
        asked=asked,
        others=[(str(other.sender_id), shown.name_of(other)) for other in others],
        pending=request.form.get("pending", "pause"),
        chosen=request.form.get("to"),
        faults=account_forms.faults(error) if use is None else {},
        width="text",
    )
