"""account.…: the account's logins and its presence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts import logins
from simulator.accounts.errors import Refusal
from simulator.errors import ControlError
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call


@method(functions.account.GetAuthorizationsRequest)
def get_authorizations(call: Call, request: Any) -> Any:
    """All logins, this one first."""
    keys = sorted(call.directory.keys_of(call.me), key=lambda key: key is not call.key)
    return types.account.Authorizations(180, [views.authorization(key, call.key) for key in keys])


@method(functions.account.ResetAuthorizationRequest, functions.account.ChangeAuthorizationSettingsRequest)
def change_authorization(call: Call, request: Any) -> Any:
    """End or confirm another login."""
    if not any(key.hash == request.hash and key is not call.key for key in call.directory.keys_of(call.me)):
        raise Refusal(400, "HASH_INVALID")
    try:
        if isinstance(request, functions.account.ResetAuthorizationRequest):
            logins.revoke(call.directory, call.me, request.hash)
        elif request.confirmed:
            logins.confirm(call.directory, call.me, request.hash)
    except ControlError:
        raise Refusal(400, "HASH_INVALID") from None
    return True


@method(functions.account.UpdateStatusRequest)
def update_status(call: Call, request: Any) -> Any:
    """Being online is accepted, and shown to nobody."""
    return call.me is not None
