"""Logging in by a QR picture that another device of the account scans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts import logins
from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account
from simulator.mtproto import views
from simulator.mtproto.methods.login import enter_or_ask
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call


@method(functions.auth.ExportLoginTokenRequest, login=False)
def export_login_token(call: Call, request: Any) -> Any:
    """A token to show; once it was accepted, the login."""
    account = logins.accepted_by(call.directory, call.key.token)
    if account is None:
        token, expires = logins.new_token(call.directory, call.key, call.server.settings)
        return types.auth.LoginToken(views.moment(expires), bytes.fromhex(token))
    if account.dc != call.key.dc:
        call.server.expect_move(account.dc)
        return types.auth.LoginTokenMigrateTo(account.dc, bytes.fromhex(call.key.token))
    return _enter(call, account, call.key.token)


@method(functions.auth.ImportLoginTokenRequest, login=False)
def import_login_token(call: Call, request: Any) -> Any:
    """The login with a token that was accepted while the client was at another data center."""
    token = request.token.hex()
    account = logins.accepted_by(call.directory, token)
    if account is None:
        raise Refusal(400, "AUTH_TOKEN_INVALID")
    return _enter(call, account, token)


def _enter(call: Call, account: Account, token: str) -> Any:
    entered = enter_or_ask(call, account)
    call.directory.tokens.pop(token, None)
    return types.auth.LoginTokenSuccess(entered)


@method(functions.auth.AcceptLoginTokenRequest)
def accept_login_token(call: Call, request: Any) -> Any:
    """Scan somebody's picture: that client may log in as this account."""
    key = logins.accept_token(call.directory, call.me, request.token.hex())
    call.server.tell_key(key, "login_token", {})
    return views.authorization(key, None)
