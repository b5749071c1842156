"""auth.…: logging in with a code, and logging out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts import logins
from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account, Code
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call

CODE_LENGTH = 5
RESEND_AFTER = 60


def enter(call: Call, account: Account) -> Any:
    """Log the key in as this account, and end it later where the account's conduct says so."""
    logins.log_in(call.directory, call.key, account)
    seconds = account.conduct.revoke_after_login
    if seconds:
        key, hash_ = call.key, call.key.hash

        def end() -> None:
            if key.account == account.id and key.hash == hash_:
                call.directory.refuse_key(key, "SESSION_REVOKED")

        call.directory.later(seconds, end)
    call.account = account
    return types.auth.Authorization(user=views.user(call.directory, account, account))


def enter_or_ask(call: Call, account: Account) -> Any:
    """The same, unless the account has a password. Raises Refusal SESSION_PASSWORD_NEEDED then."""
    if account.password:
        call.key.awaiting_password = account.id
        raise Refusal(401, "SESSION_PASSWORD_NEEDED")
    return enter(call, account)


def _account(call: Call, phone: str) -> Account:
    account = call.directory.with_phone(phone)
    if account is None:
        raise Refusal(400, "PHONE_NUMBER_INVALID")
    if account.conduct.banned:
        raise Refusal(400, "PHONE_NUMBER_BANNED")
    call.more["phone"] = account.phone
    return account


def _sent(call: Call, account: Account, via: str, phone_hash: str = "") -> Any:
    code = logins.issue_code(call.directory, account, via, phone_hash)
    kind = {
        "app": types.auth.SentCodeTypeApp(CODE_LENGTH),
        "sms": types.auth.SentCodeTypeSms(CODE_LENGTH),
        "email": types.auth.SentCodeTypeEmailCode(email_pattern=_masked(account.conduct.email), length=CODE_LENGTH),
    }[via]
    following = types.auth.CodeTypeSms() if via == "app" else None
    return types.auth.SentCode(type=kind, phone_code_hash=code.hash, next_type=following, timeout=RESEND_AFTER)


def _masked(address: str) -> str:
    name, _, host = (address or "someone@example.com").partition("@")
    return f"{name[:1]}***{name[-1:]}@{host}"


@method(functions.auth.SendCodeRequest, login=False)
def send_code(call: Call, request: Any) -> Any:
    """A code on its way, by the way of the account. A client at another data center is sent to the account's."""
    account = _account(call, request.phone_number)
    if call.key.dc != account.dc:
        call.server.expect_move(account.dc)
        raise Refusal(303, f"PHONE_MIGRATE_{account.dc}")
    way = account.conduct.login
    if way == "payment":
        return types.auth.SentCodePaymentRequired(
            store_product="org.telegram.telegramStars.topup.50",
            phone_code_hash=logins.issue_code(call.directory, account, "none").hash,
            support_email_address="sms@stel.com",
            support_email_subject="SMS code",
            premium_days=7,
            currency="USD",
            amount=99,
        )
    if way == "email_setup":
        code = logins.issue_code(call.directory, account, "none")
        return types.auth.SentCode(type=types.auth.SentCodeTypeSetUpEmailRequired(), phone_code_hash=code.hash)
    return _sent(call, account, way)


@method(functions.auth.ResendCodeRequest, login=False)
def resend_code(call: Call, request: Any) -> Any:
    """A new code for the same request, by SMS."""
    account = _account(call, request.phone_number)
    logins.pending_code(call.directory, account.phone, request.phone_code_hash, call.server.settings)
    return _sent(call, account, "sms", request.phone_code_hash)


@method(functions.auth.CancelCodeRequest, login=False)
def cancel_code(call: Call, request: Any) -> Any:
    """The code is good for nothing any more."""
    account = _account(call, request.phone_number)
    _pending(call, account, request.phone_code_hash).ended = True
    return True


def _pending(call: Call, account: Account, phone_hash: str) -> Code:
    return logins.pending_code(call.directory, account.phone, phone_hash, call.server.settings)


@method(functions.auth.SignInRequest, login=False)
def sign_in(call: Call, request: Any) -> Any:
    """Log in with the code of the phone or of the mail."""
    account = _account(call, request.phone_number)
    code = _pending(call, account, request.phone_code_hash)
    given = request.phone_code
    if code.via == "email":
        given = getattr(request.email_verification, "code", None)
    if not given:
        raise Refusal(400, "PHONE_CODE_EMPTY")
    if code.via == "none" or given != code.code:
        raise Refusal(400, "EMAIL_VERIFY_EXPIRED" if code.via == "email" else "PHONE_CODE_INVALID")
    code.used = True
    return enter_or_ask(call, account)


@method(functions.auth.LogOutRequest)
def log_out(call: Call, request: Any) -> Any:
    """Nobody is logged in with the key any more."""
    call.account = call.me
    logins.log_out(call.directory, call.key)
    return types.auth.LoggedOut()
