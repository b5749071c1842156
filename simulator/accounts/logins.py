"""Logging in: codes, tokens in a QR picture, and the logins of an account."""

from __future__ import annotations

import secrets
import time

from simulator.accounts import boxes
from simulator.accounts.directory import Directory
from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account, AuthKey, Code
from simulator.accounts.settings import AccountSettings
from simulator.errors import not_found

CODE_TEXT = (
    "Login code: {code}. Do not give this code to anyone, even if they say they are from Telegram!\n\n"
    "If you didn't request this code by trying to log in on another device, simply ignore this message."
)
NEW_LOGIN = (
    "New login. Dear {name}, we detected a login into your account from a new device: {device}, {application}.\n\n"
    "If this wasn't you, you can terminate that session in Settings > Devices."
)


def issue_code(directory: Directory, account: Account, via: str, phone_hash: str = "") -> Code:
    """A fresh code of five digits by `via`; inside the app it is a message from Telegram. `phone_hash`: the request
    that it is sent again for.
    """
    code = Code(
        account.phone, phone_hash or secrets.token_hex(9), f"{secrets.randbelow(10**5):05}", via, int(time.time())
    )
    for earlier in directory.codes:
        if earlier.phone == account.phone and earlier.hash == code.hash:
            earlier.ended = True
    directory.codes.append(code)
    directory.world.changes += 1
    if via == "app":
        boxes.service_message(directory, account, CODE_TEXT.format(code=code.code))
    directory.world.events.publish({"type": "private", "what": "code", "account": account.id, "peer": 0})
    return code


def pending_code(directory: Directory, phone: str, phone_hash: str, settings: AccountSettings) -> Code:
    """The code that a request waits for. Raises Refusal PHONE_CODE_EXPIRED."""
    oldest = time.time() - settings.code_lifetime
    for code in reversed(directory.codes):
        if code.phone == phone and code.hash == phone_hash and not code.ended and not code.used and code.at >= oldest:
            return code
    raise Refusal(400, "PHONE_CODE_EXPIRED")


def end_codes_in(directory: Directory, account: Account, text: str) -> None:
    """A code that its owner writes into a chat is good for nothing any more."""
    for code in directory.codes:
        if code.phone == account.phone and not code.used and code.code in text:
            code.ended = True


def log_in(directory: Directory, key: AuthKey, account: Account) -> None:
    """The key carries the account from now on; its other devices and Telegram's chat tell of it. Raises Refusal for
    a banned number.
    """
    if account.conduct.banned:
        raise Refusal(400, "PHONE_NUMBER_BANNED")
    others = directory.keys_of(account)
    now = int(time.time())
    key.account, key.awaiting_password, key.refused, key.token = account.id, 0, "", ""
    key.hash, key.created, key.active = secrets.randbits(62) | 1, now, now
    key.unconfirmed = account.conduct.unconfirmed_logins
    directory.world.touch()
    if others:
        values = {"hash": key.hash, "unconfirmed": key.unconfirmed, "date": now, "device": key.device}
        directory.notifier(account, "new_authorization", values)
    name = directory.person(account.id).first_name
    text = NEW_LOGIN.format(name=name, device=key.device or "unknown", application=key.application or "unknown")
    boxes.service_message(directory, account, text)


def log_out(directory: Directory, key: AuthKey) -> None:
    """The key carries nobody; it can log in again."""
    key.account, key.hash, key.unconfirmed = 0, 0, False
    directory.world.touch()


def revoke(directory: Directory, account: Account, login: int = 0) -> int:
    """End one login by its hash, or all of them (0), as another device does; how many were ended. Raises ControlError
    404 for an unknown one.
    """
    keys = [key for key in directory.keys_of(account) if login in (0, key.hash)]
    if login and not keys:
        raise not_found("this login")
    for key in keys:
        directory.refuse_key(key, "SESSION_REVOKED")
    return len(keys)


def confirm(directory: Directory, account: Account, login: int = 0) -> int:
    """Press "Yes, it's me" for one login or all; how many were unconfirmed."""
    keys = [key for key in directory.keys_of(account) if key.unconfirmed and login in (0, key.hash)]
    for key in keys:
        key.unconfirmed = False
    directory.world.touch()
    return len(keys)


# ---- by a QR picture


def new_token(directory: Directory, key: AuthKey, settings: AccountSettings) -> tuple[str, int]:
    """A token for a client that nobody is logged in at (hexadecimal digits), and until when it is good (Unix
    seconds).
    """
    directory.tokens.pop(key.token, None)
    key.token = secrets.token_hex(16)
    expires = time.time() + settings.token_lifetime
    directory.tokens[key.token] = (key.id, expires, 0)
    return key.token, int(expires)


def accept_token(directory: Directory, account: Account, token: str) -> AuthKey:
    """Scan the picture: the key that shows it may log in as this account. Raises Refusal for a token that is unknown,
    too old or used.
    """
    key_id, expires, accepted = directory.tokens.get(token, (0, 0.0, 0))
    key = directory.keys.get(key_id)
    if key is None:
        raise Refusal(400, "AUTH_TOKEN_INVALID")
    if accepted:
        raise Refusal(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
    if expires < time.time():
        raise Refusal(400, "AUTH_TOKEN_EXPIRED")
    directory.tokens[token] = (key_id, expires, account.id)
    directory.world.changes += 1
    return key


def accepted_by(directory: Directory, token: str) -> Account | None:
    """Who accepted a token, None while nobody did."""
    accepted = directory.tokens.get(token, (0, 0.0, 0))[2]
    return directory.account(accepted) if accepted else None
