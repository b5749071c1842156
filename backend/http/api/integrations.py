"""Integrations: the list of all, connecting persons' own accounts, changing and removing any."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.core.errors import Forbidden, Invalid, field_error
from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.integrations import (
    Application,
    ConnectIn,
    ConnectOut,
    IntegrationChange,
    IntegrationOut,
    Integrations,
    QrOut,
    RemoveQuery,
    VerifyCodeIn,
    VerifyCodeOut,
)
from backend.models.user import ADMIN
from backend.services.accounts import access as accounts
from backend.services.accounts import connecting, integrations
from backend.services.accounts.connecting import Step
from backend.services.channel_setup import catalog, described

_CONNECTED = "Telegram User API connected successfully"

bp = APIBlueprint("integrations", __name__, url_prefix="/api/integrations", tag="Integrations")


@bp.get("")
@access()
@bp.output(Integrations)
def listing() -> dict[str, Any]:
    """List integrations

    People's own accounts and the integrations with WhatsApp, Messenger and Instagram; those of the environment are
    among them (`source`).
    """
    of_accounts = integrations.describe(accounts.all_of_workspace())
    return {"integrations": of_accounts + described.all_of(catalog.listing())}


@bp.post("/telegram/connect-user")
@access("operator")
@bp.input(ConnectIn)
@bp.output(ConnectOut, status_code=202)
@bp.doc(
    responses={
        422: "`phone_invalid`, `phone_banned`, `api_id_invalid`, `api_id_published`, `login_unsupported`",
        429: "`login_flood`: Telegram takes no more logins for now",
        503: "The process that serves accounts is not running, or Telegram cannot be reached",
    }
)
def connect_user(json_data: ConnectIn) -> dict[str, Any]:
    """Connect one's own Telegram account

    Telegram sends a code to the account, mostly inside Telegram itself. While one is on its way a repetition changes
    nothing, unless it says `resend`.
    """
    caller = guards.actor()
    workspace_id, user_id = caller.workspace_id, caller.user_id
    api_id, api_hash, phone, resend = json_data.api_id, json_data.api_hash, json_data.phone, json_data.resend

    def connect() -> Step:
        settings = connecting.settings_of(workspace_id, _text(api_id), api_hash)
        number = connecting.phone_of(workspace_id, phone)
        return connecting.ask_for_code(workspace_id, user_id, settings, number, resend=resend)

    step = guards.ask_and_rerun(connect)
    if step.state == "done":
        return {"status": "connected"} | _connected(step)
    return {"status": "code_required", "delivery": step.delivery}


@bp.post("/telegram/verify-code")
@access("operator")
@bp.input(VerifyCodeIn)
@bp.output(VerifyCodeOut)
@bp.doc(
    responses={
        409: "`code_required`: ask for a code first. `password_required`: the account has a password; the code is kept",
        422: "`code_wrong`, `code_expired`, `password_wrong`",
        429: "`login_flood`",
        503: "The process that serves accounts is not running, or Telegram cannot be reached",
    }
)
def verify_code(json_data: VerifyCodeIn) -> dict[str, Any]:
    """Give the code that Telegram sent"""
    caller = guards.actor()
    workspace_id, user_id = caller.workspace_id, caller.user_id
    phone, code, password = json_data.phone, json_data.code, json_data.password

    def verify() -> Step:
        number = connecting.phone_of(workspace_id, phone) if phone else None
        return connecting.give_code(workspace_id, user_id, number, code, password)

    return _connected(guards.ask_and_rerun(verify))


@bp.post("/telegram/connect-qr")
@access("operator")
@bp.input(Application)
@bp.output(QrOut)
@bp.doc(responses={409: "`password_required`", 503: "The process that serves accounts is not running"})
def connect_qr(json_data: Application) -> dict[str, Any]:
    """Connect one's own Telegram account by a QR code

    The second choice: a code is taken more kindly. The picture is replaced every half a minute, which is told as a
    live event.
    """
    caller = guards.actor()
    workspace_id, user_id, api_id, api_hash = caller.workspace_id, caller.user_id, json_data.api_id, json_data.api_hash

    def show() -> Step:
        settings = connecting.settings_of(workspace_id, _text(api_id), api_hash)
        return connecting.show_qr(workspace_id, user_id, settings)

    step = guards.ask_and_rerun(show)
    status = "connected" if step.state == "done" else "qr_waiting"
    return {"status": status, "url": step.url, "svg": step.svg, "expires_at": step.expires_at, "id": step.sender_id}


@bp.patch("/<int:integration_id>")
@access("operator")
@bp.input(IntegrationChange)
@bp.output(IntegrationOut)
@bp.doc(responses={409: "`integration_exists`; `from_environment`: it stands in the environment"})
def change(integration_id: int, json_data: IntegrationChange) -> dict[str, Any]:
    """Change an integration

    Of a person's account: `senders`, who starts campaigns from it. Of the others, by an admin: everything else; what is
    left out stays, and a new token has to be the same account's.
    """
    given = json_data.model_dump(exclude_unset=True)
    if catalog.find(integration_id) is None:
        account = accounts.find(integration_id)
        _require_only(given, ("senders",))
        if json_data.senders is None:
            raise Invalid.of("senders", "missing", "Say who starts campaigns from the account.")
        account = integrations.change_senders(guards.actor(), integration_id, json_data.senders)
        return integrations.describe([account])[0]
    _require_admin()
    _require_only(given, catalog.CHANGEABLE)
    return described.describe(catalog.change(guards.attribution(), integration_id, given))


@bp.delete("/<int:integration_id>")
@access("operator")
@bp.input(RemoveQuery, location="query")
@bp.output({}, status_code=204)
@bp.doc(
    responses={
        409: "`account_in_use`: say by `pending` what becomes of what campaigns have to send. `from_environment`: it"
        " stands in the environment"
    }
)
def remove(integration_id: int, query_data: RemoveQuery) -> Response:
    """Remove an integration

    A person's account is logged out at Telegram. Of the others tokens and secrets are forgotten and what waits is
    canceled, by an admin; conversations stay.
    """
    if catalog.find(integration_id) is None:
        integrations.remove(guards.actor(), integration_id, query_data.pending, query_data.to)
    else:
        _require_admin()
        catalog.remove(guards.attribution(), integration_id)
    return Response(status=204)


def _require_admin() -> None:
    if not guards.actor().reaches(ADMIN):
        raise Forbidden("role_required", "This needs the role admin.")


def _require_only(given: dict[str, Any], names: Collection[str]) -> None:
    """Raises Invalid for a field that this kind of integration does not have, and for one that may not be null."""
    faults = [
        field_error(name, "not_of_this_integration", "This integration has no such field.")
        for name in given
        if name not in names
    ]
    faults += [field_error(name, "missing", "This may not be null.") for name in given if given[name] is None]
    if faults:
        raise Invalid.of_fields(faults)


def _connected(step: Step) -> dict[str, Any]:
    return {"message": _CONNECTED, "platform": "telegram_user", "phone": step.phone, "id": step.sender_id}


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
