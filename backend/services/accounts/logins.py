"""Connecting an account: what the person gives stands in a row as a command, which the process `sessions` carries out.

A command has a number, and the row says up to which they are answered. Whoever gave one waits for its answer without a
transaction. A code and a password are erased once they were used.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, text

from backend.core import clock, queue
from backend.core.database import db, workspace_scope
from backend.core.encrypted_columns import keyring
from backend.models import Account, AccountFirstConnection, AccountLogin, Sender
from backend.services import conversations, live, senders
from backend.services.accounts import health
from backend.services.accounts.channel_name import CHANNEL
from backend.services.auth import audit
from backend.services.auth.attribution import of_user
from backend.services.delivery import quota

LIFE: Final = timedelta(minutes=10)
"""How long a person may take from the first step to the last."""
LOGOUT_LIFE: Final = timedelta(hours=24)
"""For so long a removed account's session is tried to be ended at Telegram."""
CLAIM_SECONDS: Final = 60.0
OPEN_STATES: Final = ("starting", "code_required", "password_required", "qr_waiting", "checking")
_POLL_SECONDS: Final = 0.15
_MAX_EXPIRED: Final = 100


Condition = Callable[[AccountLogin], bool]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that this process took, with all that carrying it out needs."""

    login_id: int
    number: int
    name: str
    phone: str | None = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)
    session: str | None = field(repr=False)
    code_hash: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    expires_at: datetime
    was_tried: bool
    """Whether another process took it before and did not answer."""


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """Whom a login ended in."""

    session: str = field(repr=False)
    user_id: int
    phone: str | None = field(repr=False)
    username: str | None
    name: str
    is_premium: bool


def device_name() -> str:
    """What Telegram's list of sessions shows."""
    return f"Switchboard on {socket.gethostname()}"[:60]


def phone_hash(phone: str) -> bytes:
    """The keyed hash by which an account's own number is found."""
    return keyring().lookup("account.phone", phone)


def open_login(user_id: int, phone: str | None) -> AccountLogin | None:
    """The login of this person that is under way, of the workspace in scope; with `phone` only one of that number."""
    query = (
        select(AccountLogin)
        .where(AccountLogin.user_id == user_id, AccountLogin.expires_at > clock.now())
        .where(AccountLogin.state.in_(OPEN_STATES), AccountLogin.command != "logout")
        .order_by(AccountLogin.id.desc())
        .limit(1)
        .with_for_update()
    )
    if phone is not None:
        query = query.where(AccountLogin.phone_hash == phone_hash(phone))
    return db.session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def last_done(user_id: int, phone: str | None) -> AccountLogin | None:
    """The login that this person has just ended with an account: a repetition of its last step changes nothing."""
    query = (
        select(AccountLogin)
        .where(AccountLogin.user_id == user_id, AccountLogin.expires_at > clock.now(), AccountLogin.state == "done")
        .order_by(AccountLogin.id.desc())
        .limit(1)
    )
    if phone is not None:
        query = query.where(AccountLogin.phone_hash == phone_hash(phone))
    return db.session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def begin_logout(workspace_id: int, user_id: int, sender: Sender) -> None:
    """Has the process `sessions` end a removed account's session at Telegram, once its lease is free: the session is
    taken from the sender, so that nobody connects with it any more."""
    session = sender.credentials
    if session is None:
        return
    _log_out_later(workspace_id, user_id, json.dumps(sender.settings), session, sender.id)
    sender.credentials = None
    sender.credentials_hash = None
    db.session.flush()
    queue.nudge()


def _log_out_later(workspace_id: int, user_id: int, settings: str, session: str, sender_id: int | None) -> None:
    now = clock.now()
    login = AccountLogin(
        workspace_id=workspace_id,
        user_id=user_id,
        command="logout",
        sender_id=sender_id,
        expires_at=now + LOGOUT_LIFE,
        created_at=now,
        updated_at=now,
    )
    login.joined_settings = settings
    login.session = session
    db.session.add(login)


def begin(
    workspace_id: int, user_id: int, settings: Mapping[str, str], phone: str | None, command: str
) -> AccountLogin:
    """Stores a new login with its first command: `start` with a phone number, or `qr`."""
    now = clock.now()
    login = AccountLogin(
        workspace_id=workspace_id,
        user_id=user_id,
        command=command,
        expires_at=now + LIFE,
        created_at=now,
        updated_at=now,
    )
    login.joined_settings = json.dumps(dict(settings))
    if phone is not None:
        login.phone, login.phone_hash = phone, phone_hash(phone)
    db.session.add(login)
    db.session.flush()
    queue.nudge()
    return login


def give(login: AccountLogin, command: str, secret: str | None = None) -> int:
    """Adds a command to a locked login: resend, code, password or cancel; returns its number."""
    login.command, login.secret = command, secret
    login.command_number += 1
    login.state = "checking" if command in ("code", "password") else login.state
    login.error_code = login.retry_after = None
    login.claimed_by = login.claimed_until = None
    login.updated_at = clock.now()
    db.session.flush()
    queue.nudge()
    return login.command_number


def never(login: AccountLogin) -> bool:
    """Nothing but the answer is waited for."""
    return False


def wait(
    workspace_id: int, login_id: int, number: int, seconds: float, is_shown: Condition = never
) -> AccountLogin | None:
    """The login once this command is answered, or `is_shown` holds; None when that takes longer. Ends the caller's
    transaction."""
    until = time.monotonic() + seconds
    while True:
        db.session.rollback()
        with workspace_scope(workspace_id):
            login = db.session.get(AccountLogin, login_id, populate_existing=True)
            if login is None or login.answered_number >= number or is_shown(login):
                return login
        db.session.rollback()
        if time.monotonic() >= until:
            return None
        time.sleep(_POLL_SECONDS)


_CLAIM: Final = text(
    """
    UPDATE account_logins l
       SET claimed_by = :owner, claimed_until = clock_timestamp() + make_interval(secs => :seconds)
      FROM (SELECT id, claimed_by FROM account_logins
             WHERE answered_number < command_number AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
               AND (command <> 'logout' OR NOT EXISTS (
                    SELECT FROM sender_leases s
                     WHERE s.sender_id = account_logins.sender_id AND s.until > clock_timestamp()))
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) o
     WHERE l.id = o.id
    RETURNING l.id, o.claimed_by AS claimed_before
    """
)


def take(owner: str) -> Command | None:
    """Takes a command that nobody carries out, in the system scope; the caller commits. None where there is none."""
    row = db.session.execute(_CLAIM, {"owner": owner, "seconds": CLAIM_SECONDS}).first()
    if row is None:
        return None
    login = db.session.get_one(AccountLogin, row.id, populate_existing=True)
    return Command(
        login.id,
        login.command_number,
        login.command,
        login.phone,
        json.loads(login.joined_settings),
        login.session,
        login.phone_code_hash,
        login.secret,
        login.expires_at,
        was_tried=row.claimed_before is not None,
    )


def keep_claim(login_id: int, owner: str) -> bool:
    """Prolongs the claim of a command that takes long; False where it is another's, or was replaced by a new one."""
    statement = text(
        "UPDATE account_logins SET claimed_until = clock_timestamp() + make_interval(secs => :seconds)"
        " WHERE id = :id AND claimed_by = :owner RETURNING id"
    )
    values = {"id": login_id, "owner": owner, "seconds": CLAIM_SECONDS}
    return db.session.execute(statement, values).first() is not None


def answer(command: Command, state: str, **values: Any) -> bool:
    """Records the answer to a command and erases the secret; False where a later command has replaced it."""
    login = db.session.execute(
        select(AccountLogin)
        .where(AccountLogin.id == command.login_id, AccountLogin.command_number == command.number)
        .where(AccountLogin.answered_number < command.number)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if login is None:
        return False
    login.state, login.answered_number, login.updated_at = state, command.number, clock.now()
    login.secret = None
    login.claimed_by = login.claimed_until = None
    for name, value in values.items():
        setattr(login, name, value)
    if state in ("done", "failed", "expired"):
        login.session = login.phone_code_hash = login.qr_url = None
    db.session.flush()
    live.note(login.workspace_id, "accounts", only_for=login.user_id, login_id=login.id)
    return True


def show_qr(command: Command, url: str, session: str, expires_at: datetime) -> bool:
    """Shows an address for a QR code; the command goes on. False where it was replaced."""
    login = db.session.get(AccountLogin, command.login_id, populate_existing=True, with_for_update=True)
    if login is None or login.command_number != command.number:
        return False
    login.state, login.qr_url, login.session, login.qr_expires_at = "qr_waiting", url, session, expires_at
    login.updated_at = clock.now()
    db.session.flush()
    live.note(login.workspace_id, "accounts", only_for=login.user_id, login_id=login.id)
    return True


def complete(command: Command, connected: ConnectedAccount) -> bool:
    """Ends a login with its account, in the system scope: a new one, or one that was connected before."""
    login = db.session.get(AccountLogin, command.login_id, populate_existing=True, with_for_update=True)
    if login is None or login.command_number != command.number or login.answered_number >= command.number:
        return False
    sender_id = _store_account(login, connected, json.loads(login.joined_settings))
    return answer(command, "done", sender_id=sender_id, error_code=None)


def expire() -> int:
    """Ends logins that took too long, in the system scope; returns how many. A session that Telegram may have logged in
    meanwhile is logged out."""
    _log_out_expired()
    statement = text(
        "UPDATE account_logins SET state = 'expired', answered_number = command_number, secret_encrypted = NULL,"
        " session_encrypted = NULL, phone_code_hash_encrypted = NULL, qr_url_encrypted = NULL"
        " WHERE expires_at <= :now AND state NOT IN ('done', 'failed', 'expired')"
        " AND (claimed_until IS NULL OR claimed_until < clock_timestamp())"
    )
    count: int = db.session.execute(statement, {"now": clock.now()}).rowcount  # type: ignore[attr-defined]
    return count


def _log_out_expired() -> None:
    over = (
        select(AccountLogin)
        .where(AccountLogin.expires_at <= clock.now(), AccountLogin.state.not_in(("done", "failed", "expired")))
        .where(AccountLogin.command.in_(("code", "password", "qr")), AccountLogin.session_encrypted.is_not(None))
        .where(AccountLogin.claimed_until.is_(None) | (AccountLogin.claimed_until < func.clock_timestamp()))
        .order_by(AccountLogin.id)
        .limit(_MAX_EXPIRED)
        .with_for_update(skip_locked=True)
    )
    for login in db.session.scalars(over.execution_options(populate_existing=True)).all():
        if login.session is not None:
            _log_out_later(login.workspace_id, login.user_id, login.joined_settings, login.session, None)
            login.session = None
    db.session.flush()


def _store_account(login: AccountLogin, connected: ConnectedAccount, settings: Mapping[str, str]) -> int:
    now, user_hash = clock.now(), conversations.identity_hash(CHANNEL, str(connected.user_id))
    account = db.session.execute(
        select(Account)
        .where(Account.workspace_id == login.workspace_id, Account.telegram_user_hash == user_hash)
        .where(Account.deleted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if account is None:
        account = _new_account(login, connected, user_hash, now)
    sender = db.session.get_one(Sender, account.sender_id)
    senders.set_token(sender, connected.session)
    sender.settings = dict(settings)
    sender.is_active = True
    account.username, account.name, account.is_premium = connected.username, connected.name, connected.is_premium
    account.device = device_name()
    phone = connected.phone or login.phone
    if phone is not None:
        account.phone, account.phone_hash = phone, phone_hash(phone)
    # A new login sees everything from now on: what was before is not fetched.
    account.pts = account.qts = account.date = account.seq = None
    account.connected_at = account.caught_up_at = None
    if account.state == "needs_login":
        health.change_state(account, "waiting", "connecting")
    audit.record(of_user(login.user_id), "account.connected", f"account:{account.sender_id}", login.workspace_id)
    db.session.flush()
    live.note(login.workspace_id, "accounts", account_id=account.sender_id)
    return account.sender_id


def _new_account(login: AccountLogin, connected: ConnectedAccount, user_hash: bytes, now: datetime) -> Account:
    key = quota.key_of("telegram", str(connected.user_id))
    if db.session.get(AccountFirstConnection, key) is None:
        db.session.add(AccountFirstConnection(quota_key=key, first_connected_at=now))
    sender = Sender(
        workspace_id=login.workspace_id,
        channel=CHANNEL,
        # Unique in the workspace, and no name that people read.
        name=f"account {user_hash.hex()[:16]}",
        created_at=now,
    )
    db.session.add(sender)
    db.session.flush()
    account = Account(
        workspace_id=login.workspace_id,
        sender_id=sender.id,
        owner_user_id=login.user_id,
        telegram_user_hash=user_hash,
        quota_key=key,
        name=connected.name,
        device=device_name(),
        state="waiting",
        reason="connecting",
        since=now,
        created_at=now,
    )
    account.telegram_user_id = str(connected.user_id)
    db.session.add(account)
    db.session.flush()
    return account
