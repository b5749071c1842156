"""How the provider sees an account: signals, and the state that follows from them.

An account that is limited sends no campaign messages until a person decides; what its owner answers by hand goes out,
for the provider allows it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock, events
from backend.core.database import db
from backend.models import Account, AccountSignal, Sender
from backend.services import live, senders
from backend.services.accounts.events import AccountStateChanged
from backend.services.accounts.health_policy import LOGGED_OUT, WAITS_WITHIN, Consequence, consequence

SIGNALS_WITHIN: Final = timedelta(days=14)
MAX_SIGNALS: Final = 20
_MAX_NOTICE: Final = 2000
_LASTING: Final = ("frozen", "needs_login", "limited")
"""States that do not end by themselves, the weightiest first."""


def lock(sender_id: int) -> Account | None:
    """The account of this sender, locked and read again, in the system scope or its workspace's; None where it is no
    account's, or was removed."""
    account = db.session.execute(
        select(Account)
        .where(Account.sender_id == sender_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    return None if account is None or account.deleted_at is not None else account


def signal(sender_id: int, code: str, *, seconds: float = 0.0, on_lookup: bool = False, **value: Any) -> None:
    """Notes what the provider said of an account and does what follows, in the caller's transaction and in the system
    scope. `seconds` is the length of a flood wait; `value` is plain JSON without words of messages."""
    account = lock(sender_id)
    if account is None:
        return
    now = clock.now()
    earlier = _waits(sender_id, now - WAITS_WITHIN) if code == "flood_wait" and not on_lookup else []
    if seconds:
        value |= {"seconds": round(seconds), "on": "lookup" if on_lookup else "send"}
    db.session.add(
        AccountSignal(workspace_id=account.workspace_id, sender_id=sender_id, code=code, value=value, at=now)
    )
    apply(account, code, consequence(code, now, seconds=seconds, on_lookup=on_lookup, earlier_waits=earlier), now)
    db.session.flush()


def apply(account: Account, code: str, result: Consequence, now: datetime) -> None:
    """Does what follows from a signal. A state that lasts is not replaced by a lighter one."""
    if result.lookups_until is not None:
        account.lookups_paused_until = max(result.lookups_until, account.lookups_paused_until or now)
    if result.pauses and not (account.campaigns_pause_reason and account.campaigns_paused_until is None):
        account.campaigns_pause_reason, account.campaigns_paused_until = code, result.pause_until
    if result.strict_until is not None:
        account.strict_until = max(result.strict_until, account.strict_until or now)
    if result.state is not None and _outranks(result.state, account.state):
        change_state(account, result.state, code, until=result.until)
    if code in LOGGED_OUT:
        sender = db.session.get(Sender, account.sender_id)
        if sender is not None:
            senders.disable(sender, code)


def change_state(account: Account, state: str, reason: str | None, *, until: datetime | None = None) -> None:
    """Gives a locked account this state, and says so to whoever subscribed; the same one again only moves `until`."""
    account.until = until
    if (account.state, account.reason) == (state, reason):
        return
    before, account.state, account.reason, account.since = account.state, state, reason, clock.now()
    db.session.flush()
    live.note(account.workspace_id, "accounts", account_id=account.sender_id)
    events.publish(AccountStateChanged(account.workspace_id, account.sender_id, before, state, reason))


def connected(account: Account) -> None:
    """The account is connected and up to date: a wait that is over ends, what lasts stays."""
    waits = account.state == "waiting" and account.until is not None and account.until > clock.now()
    if account.state in ("connected", "unconfirmed", *_LASTING) or waits:
        return
    change_state(account, "connected", None)


def resume_campaigns(account: Account) -> None:
    """A person decided that a locked account may run campaigns again; one that is frozen or logged out may not."""
    account.campaigns_pause_reason = account.campaigns_paused_until = None
    if account.state == "limited":
        change_state(account, "connected", None)


def campaigns_pause(account: Account, now: datetime) -> str | None:
    """Why no campaign message goes out from the account now: account_frozen, account_needs_login or account_limited;
    None where nothing forbids it."""
    if account.state in ("frozen", "needs_login"):
        return f"account_{account.state}"
    paused = account.campaigns_pause_reason is not None
    if paused and (account.campaigns_paused_until is None or account.campaigns_paused_until > now):
        return "account_limited"
    return None


def note_freeze(account: Account, since: datetime | None, until: datetime | None, appeal_url: str | None) -> None:
    """Keeps what the provider's configuration says of a freeze of a locked account; without `since` it is over."""
    was_frozen = account.state == "frozen"
    account.freeze_since, account.freeze_until, account.appeal_url = since, until, appeal_url
    account.config_checked_at = clock.now()
    if since is not None:
        apply(account, "frozen", consequence("frozen", clock.now()), clock.now())
        account.until = until
    elif was_frozen:
        change_state(account, "limited", "was_frozen")


def note_service_notice(account: Account, text: str) -> None:
    """Keeps what the provider wants its person to be shown."""
    account.service_notice, account.service_notice_at = text[:_MAX_NOTICE], clock.now()
    live.note(account.workspace_id, "accounts", account_id=account.sender_id)


def recent_signals(sender_id: int) -> list[AccountSignal]:
    """The last signals of an account of the workspace in scope, the newest first."""
    since = clock.now() - SIGNALS_WITHIN
    query = select(AccountSignal).where(AccountSignal.sender_id == sender_id, AccountSignal.at > since)
    return list(db.session.scalars(query.order_by(AccountSignal.at.desc(), AccountSignal.id.desc()).limit(MAX_SIGNALS)))


def _waits(sender_id: int, since: datetime) -> list[datetime]:
    """When the account was told to wait with sending, after `since`."""
    query = (
        select(AccountSignal.at)
        .where(AccountSignal.sender_id == sender_id, AccountSignal.at > since, AccountSignal.code == "flood_wait")
        .where(AccountSignal.value["on"].astext == "send")
    )
    return list(db.session.scalars(query))


def _outranks(state: str, present: str) -> bool:
    if present not in _LASTING:
        return True
    return state in _LASTING and _LASTING.index(state) <= _LASTING.index(present)
