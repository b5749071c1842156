"""Connecting an account as a person does it: ask for a code, give it, perhaps a password; or scan a picture.

Each function begins and ends transactions of its own, because it waits for the process `sessions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import segno
from sqlalchemy import func, select

from backend.core import clock, config, process_registry
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unavailable
from backend.models import AccountLogin, Workspace
from backend.services.accounts import logins

WAIT_SECONDS: Final = 25.0
AWAY_SECONDS: Final = 5
"""When to come again while nobody carries logins out."""
CANCEL_SECONDS: Final = 5.0
ROLE: Final = "sessions"
_LOGIN_LOCKS: Final = 0x4C4F4749
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_MESSAGES: Final = {
    "phone_invalid": "Telegram knows no such number.",
    "phone_banned": "Telegram has banned this number.",
    "code_wrong": "The code is wrong.",
    "code_expired": "The code is no longer valid; ask for a new one.",
    "password_wrong": "The password is wrong.",
    "api_id_invalid": "api_id and api_hash do not belong together; both stand at my.telegram.org.",
    "api_id_published": "Telegram refuses this api_id because it is publicly known; make one of your own.",
    "login_unsupported": "Telegram does not let other applications log in this way: open Telegram on the phone.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a login stands: code_required (with where the code went), qr_waiting (with the picture), done.

    Where nobody is asked (`present`), any state of a login; expired as soon as its time is over.
    """

    state: str
    delivery: str | None = None
    sender_id: int | None = None
    phone: str | None = None
    url: str | None = None
    svg: str | None = None
    expires_at: datetime | None = None
    login_id: int = 0
    command_number: int = 0
    """Of the last command: what a page was shown after."""
    command: str = ""
    error_code: str | None = None
    retry_after: int | None = None
    """Seconds."""
    changed_at: datetime | None = None


def settings_of(workspace_id: int, api_id: str | None, api_hash: str | None) -> dict[str, str]:
    """The application's id and hash; what is missing comes from the environment, for the first workspace. Raises
    Invalid."""
    settings = config.get()
    with system_scope("the environment serves the first workspace"):
        is_first = db.session.scalar(select(func.min(Workspace.id))) == workspace_id
    db.session.rollback()
    chosen = {
        "api_id": api_id or (settings.telegram_api_id if is_first else ""),
        "api_hash": api_hash or (settings.telegram_api_hash if is_first else ""),
    }
    for name, value in chosen.items():
        if not value:
            raise Invalid.of(name, "missing", "Make one at my.telegram.org.")
    if not chosen["api_id"].isascii() or not chosen["api_id"].isdigit() or len(chosen["api_id"]) > 9:
        raise Invalid.of("api_id", "api_id_invalid", _MESSAGES["api_id_invalid"])
    return chosen


def phone_of(workspace_id: int, phone: str | None) -> str:
    """The number in its normal form; a missing one comes from the environment, for the first workspace. Raises
    Invalid."""
    if not phone:
        with system_scope("the environment serves the first workspace"):
            is_first = db.session.scalar(select(func.min(Workspace.id))) == workspace_id
        db.session.rollback()
        phone = config.get().telegram_phone if is_first else ""
    digits = re.sub(r"[\s().-]", "", phone)
    if _PHONE.fullmatch(digits) is None:
        raise Invalid.of("phone", "phone_invalid", "A number is given in full: +82 10 1234 5678.")
    return digits


def ask_for_code(
    workspace_id: int, user_id: int, settings: Mapping[str, str], phone: str, *, resend: bool = False
) -> Step:
    """Has Telegram send a code to the number, once: while one is on its way only `resend` asks again. Raises Invalid,
    TooManyRequests, Unavailable."""
    with workspace_scope(workspace_id):
        _one_at_a_time(user_id)
        login = logins.open_login(user_id, phone)
        if login is None or login.command == "cancel" or login.state == "checking":
            _require_process()
            login = logins.begin(workspace_id, user_id, settings, phone, "start")
        elif resend and login.state == "code_required":
            _require_process()
            logins.give(login, "resend")
        login_id, number = login.id, login.command_number
        db.session.commit()
    return _after(workspace_id, login_id, number)


def give_code(
    workspace_id: int,
    user_id: int,
    phone: str | None,
    code: str | None,
    password: str | None,
    *,
    seen: int | None = None,
) -> Step:
    """Gives the code of a login that is under way, and the password behind it; with `seen` (the number of the last
    command that the caller knows of) only where none was given since. Raises Conflict (code_required,
    password_required), Invalid, TooManyRequests, Unavailable."""
    with workspace_scope(workspace_id):
        login = logins.open_login(user_id, phone)
        if login is None:
            done = logins.last_done(user_id, phone)
            if done is not None:
                return _step(done)
            raise Conflict("code_required", "Ask for a code first.")
        if seen not in (None, login.command_number):
            login_id, number = login.id, login.command_number
            db.session.commit()
            return _after(workspace_id, login_id, number)
        if login.state == "password_required":
            if not password:
                raise _password_required()
            command, secret = "password", password
        elif code:
            command, secret = "code", code
        else:
            raise Conflict("code_required", "Give the code that Telegram sent.")
        _require_process()
        login_id, number = login.id, logins.give(login, command, secret)
        db.session.commit()
    try:
        return _after(workspace_id, login_id, number)
    except Conflict as needed:
        if needed.code != "password_required" or not password or command == "password":
            raise
    return give_code(workspace_id, user_id, phone, None, password)


def show_qr(workspace_id: int, user_id: int, settings: Mapping[str, str]) -> Step:
    """The picture to scan of the login that is under way, or of a new one. Raises what `ask_for_code` raises."""
    with workspace_scope(workspace_id):
        _one_at_a_time(user_id)
        login = logins.open_login(user_id, None)
        if login is None or login.command != "qr":
            _require_process()
            login = logins.begin(workspace_id, user_id, settings, None, "qr")
        login_id, number = login.id, login.command_number
        db.session.commit()
    return _after(workspace_id, login_id, number, is_shown=lambda row: row.qr_url is not None)


def present(user_id: int, login_id: int) -> Step:
    """Where this person's login stands, asking nobody, in the caller's transaction. Raises NotFound."""
    login = db.session.get(AccountLogin, login_id, populate_existing=True)
    if login is None or login.user_id != user_id or login.command == "logout":
        raise NotFound("login_not_found", "There is no such login.")
    return _step(login)


def under_way(user_id: int) -> Step | None:
    """This person's login that is not at its end, in the caller's transaction."""
    login = logins.open_login(user_id, None)
    return None if login is None or login.command == "cancel" else _step(login)


def ask_again(workspace_id: int, user_id: int, login_id: int, seen: int) -> Step:
    """Has the code of this login sent again, where nothing was asked since `seen`. Raises what `ask_for_code` raises,
    and Conflict (code_required) where the login is over."""
    with workspace_scope(workspace_id):
        login = logins.open_login(user_id, None)
        if login is None or login.id != login_id or login.state != "code_required":
            raise Conflict("code_required", "Ask for a code first.")
        if seen == login.command_number:
            _require_process()
            logins.give(login, "resend")
        number = login.command_number
        db.session.commit()
    return _after(workspace_id, login_id, number)


def cancel(workspace_id: int, user_id: int, login_id: int) -> None:
    """Ends this person's login before it is done; one that is over stays as it is."""
    with workspace_scope(workspace_id):
        login = logins.open_login(user_id, None)
        if login is None or login.id != login_id:
            db.session.rollback()
            return
        number = login.command_number if login.command == "cancel" else logins.give(login, "cancel")
        db.session.commit()
    logins.wait(workspace_id, login_id, number, CANCEL_SECONDS)


def _after(workspace_id: int, login_id: int, number: int, is_shown: logins.Condition = logins.never) -> Step:
    login = logins.wait(workspace_id, login_id, number, WAIT_SECONDS, is_shown)
    if login is None:
        raise Unavailable(
            "sessions_away", "The process that serves accounts does not answer; try again.", retry_after=AWAY_SECONDS
        )
    if login.error_code is not None:
        raise _refusal(login.error_code, login.retry_after)
    if login.state == "password_required":
        raise _password_required()
    return _step(login)


def _step(login: AccountLogin) -> Step:
    url = login.qr_url
    svg = None if url is None else segno.make(url, error="m").svg_inline(scale=6, border=2)
    is_late = login.state in logins.OPEN_STATES and login.expires_at <= clock.now()
    return Step(
        "expired" if is_late else login.state,
        login.delivery,
        login.sender_id,
        login.phone,
        url,
        svg,
        login.qr_expires_at,
        login.id,
        login.command_number,
        login.command,
        login.error_code,
        login.retry_after,
        login.updated_at,
    )


def _refusal(code: str, retry_after: int | None) -> AppError:
    if code == "login_flood":
        return TooManyRequests(code, "Telegram takes no more logins for now.", retry_after=retry_after or 3600)
    if code in _MESSAGES:
        return Invalid(code, _MESSAGES[code])
    return Unavailable(
        "try_again", "Telegram could not be reached, or the step was cut short; begin again.", retry_after=AWAY_SECONDS
    )


def _password_required() -> Conflict:
    return Conflict("password_required", "The account has a password: give it too.")


def _one_at_a_time(user_id: int) -> None:
    """Two presses of one button begin one login: the second waits for the first and finds it."""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOGIN_LOCKS, user_id % 2**31)))


def _require_process() -> None:
    """Nothing is asked while nobody would do it. Raises Unavailable."""
    processes = process_registry.list_processes()
    if processes is not None and not any(process.role == ROLE for process in processes):
        db.session.rollback()
        raise Unavailable(
            "sessions_away",
            "The process that serves accounts is not running: python worker.py sessions.",
            retry_after=AWAY_SECONDS,
        )
