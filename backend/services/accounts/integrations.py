"""Accounts as people see them in their list of integrations, who may use one, and removing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.models import Account, AccountFirstConnection, AccountSignal, Attempt, Sender, User
from backend.services import live
from backend.services.accounts import access, health, logins, lookups, pace
from backend.services.accounts.channel_name import CHANNEL
from backend.services.accounts.health import MAX_SIGNALS, SIGNALS_WITHIN
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.auth.attribution import Attribution

Pending = Literal["pause", "cancel", "move"]


@dataclass(frozen=True, slots=True)
class Use:
    """What a feature still has to send from an account."""

    campaigns: int = 0
    pending: int = 0
    under_way: int = 0


CountUse = Callable[[int], Use]
SettleUse = Callable[[int, Pending, int | None], None]
_users: list[tuple[CountUse, SettleUse]] = []


def register_use(count: CountUse, settle: SettleUse) -> None:
    """Has removing an account ask a feature: `count(sender_id)` says what it would still send, `settle(sender_id, how,
    to)` ends, pauses or moves that, in the transaction that removes the account."""
    _users.append((count, settle))


def describe(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """These accounts as the API shows them, by statements over all of them together."""
    now = clock.now()
    keys = [account.quota_key for account in accounts]
    with system_scope("a ceiling of an account holds in every workspace"):
        first = select(AccountFirstConnection.quota_key, AccountFirstConnection.first_connected_at)
        connected = {
            row.quota_key: row.first_connected_at
            for row in db.session.execute(first.where(AccountFirstConnection.quota_key.in_(keys)))
        }
        questions = select(Attempt.quota_key, func.count().label("number")).where(
            Attempt.quota_key.in_(keys), Attempt.at > now - lookups.DAY, Attempt.operation == "lookup"
        )
        asked = {row.quota_key: row.number for row in db.session.execute(questions.group_by(Attempt.quota_key))}
    signals = _signals([account.sender_id for account in accounts], now)
    return [
        _described(account, now, connected.get(account.quota_key), asked.get(account.quota_key, 0), signals)
        for account in accounts
    ]


def change_senders(actor: Actor, account_id: int, allowed: Sequence[int] | str) -> Account:
    """Sets who besides the owner starts campaigns from an account: ids of people of the workspace, or "workspace".
    Raises NotFound, Forbidden, Invalid."""
    account = access.find(account_id)
    if not access.may_change(actor, account):
        raise Forbidden("not_your_account", "Only the account's owner, or an admin, may say who uses it.")
    if isinstance(allowed, str):
        account.allowed_senders = [access.WORKSPACE]
    else:
        wanted = sorted(set(allowed))
        known = set(db.session.scalars(select(User.id).where(User.id.in_(wanted))))
        for place, user_id in enumerate(allowed):
            if user_id not in known:
                raise Invalid.of(f"senders.{place}", "no_such_person", "There is no such person.")
        account.allowed_senders = wanted
    audit.record(actor.by, "account.senders_changed", f"account:{account.sender_id}", senders=account.allowed_senders)
    db.session.flush()
    live.note(account.workspace_id, "accounts", account_id=account.sender_id)
    return account


def resume(actor: Actor, account_id: int) -> Account:
    """A person has decided that campaigns go on from an account that Telegram limited. Raises NotFound, Forbidden;
    Conflict (account_frozen, account_needs_login) where a decision does not help."""
    account = access.find(account_id)
    if not access.may_change(actor, account):
        raise Forbidden("not_your_account", "Only the account's owner, or an admin, may decide this.")
    locked = health.lock(account_id)
    if locked is None:
        raise NotFound("account_not_found", "There is no such account.")
    if locked.state in ("frozen", "needs_login"):
        raise Conflict(f"account_{locked.state}", "Telegram has closed this account; a decision here changes nothing.")
    if locked.campaigns_pause_reason is not None or locked.state == "limited":
        audit.record(actor.by, "account.resumed", f"account:{account_id}", reason=locked.campaigns_pause_reason)
        health.resume_campaigns(locked)
        db.session.flush()
        live.note(locked.workspace_id, "accounts", account_id=account_id)
    return locked


def remove(actor: Actor, account_id: int, pending: Pending | None, to: int | None) -> None:
    """Removes an account and has its session ended at Telegram. Raises NotFound, Forbidden; Conflict (account_in_use)
    while campaigns have something to send from it and `pending` does not say what becomes of that."""
    account = access.find(account_id)
    if not access.may_change(actor, account):
        raise Forbidden("not_your_account", "Only the account's owner, or an admin, may remove it.")
    if pending == "move":
        _require_target(actor, account, to)
    uses = [count(account_id) for count, _ in _users]
    total = Use(*(sum(values) for values in zip(*((u.campaigns, u.pending, u.under_way) for u in uses), strict=True)))
    if (total.pending or total.under_way) and pending is None:
        detail = {"campaigns": total.campaigns, "pending": total.pending, "under_way": total.under_way}
        raise Conflict("account_in_use", "Campaigns still have something to send from this account.", detail=detail)
    for _, settle in _users:
        settle(account_id, pending or "cancel", to)
    _end(actor.by, actor.user_id, account)


def _end(by: Attribution, user_id: int, account: Account) -> None:
    now = clock.now()
    with system_scope("a sender is no tenant table"):
        sender = db.session.get_one(Sender, account.sender_id, with_for_update=True, populate_existing=True)
        logins.begin_logout(account.workspace_id, user_id, sender)
        sender.is_active, sender.deleted_at = False, now
    account.deleted_at, account.phone, account.phone_hash = now, None, None
    account.connected_at = account.caught_up_at = None
    audit.record(by, "account.removed", f"account:{account.sender_id}")
    db.session.flush()
    live.note(account.workspace_id, "accounts", account_id=account.sender_id)


def _require_target(actor: Actor, account: Account, to: int | None) -> None:
    if to is None or to == account.sender_id:
        raise Invalid.of("to", "missing", "Name another account to move to.")
    if not access.may_use(actor, access.find(to)):
        raise Forbidden("account_not_yours", "Its owner has not named you among those who may use this account.")


def _signals(sender_ids: Sequence[int], now: datetime) -> Mapping[int, list[dict[str, Any]]]:
    """The last signals of each of these accounts, the newest first."""
    entry = func.jsonb_build_object("code", AccountSignal.code, "value", AccountSignal.value, "at", AccountSignal.at)
    rows = db.session.execute(
        select(
            AccountSignal.sender_id,
            func.jsonb_agg(aggregate_order_by(entry, AccountSignal.id.desc())).label("entries"),
        )
        .where(AccountSignal.sender_id.in_(sender_ids), AccountSignal.at > now - SIGNALS_WITHIN)
        .group_by(AccountSignal.sender_id)
    )
    return {row.sender_id: row.entries[:MAX_SIGNALS] for row in rows}


def _described(
    account: Account,
    now: datetime,
    first_connected_at: datetime | None,
    asked: int,
    signals: Mapping[int, list[dict[str, Any]]],
) -> dict[str, Any]:
    ramp = pace.ramp_of(first_connected_at or now, now)
    values: dict[str, Any] = {
        "id": account.sender_id,
        "platform": CHANNEL,
        "name": account.name,
        "phone": masked_phone(account.phone),
        "telegram_user_id": _masked(account.telegram_user_id),
        "username": account.username,
        "is_premium": account.is_premium,
        "status": account.state,
        "reason": account.reason or account.campaigns_pause_reason,
        "since": account.since,
        "until": account.until or account.campaigns_paused_until,
        "signals": [
            {"code": entry["code"], "value": entry["value"], "at": datetime.fromisoformat(entry["at"])}
            for entry in signals.get(account.sender_id, ())
        ],
        "appeal_url": account.appeal_url,
        "service_notice": account.service_notice,
        "ramp": {"day": ramp.day, "limit": pace.daily_limit_of(ramp, account.strict_until, now)},
        "lookups_left_today": max(0, lookups.PER_DAY - asked),
        "caught_up_at": account.caught_up_at,
        "device": account.device,
        "last_used": account.last_used_at,
        "owner_id": account.owner_user_id,
        "senders": access.WORKSPACE if access.WORKSPACE in account.allowed_senders else account.allowed_senders,
    }
    return {name: value for name, value in values.items() if value is not None}


def masked_phone(phone: str | None) -> str | None:
    """The beginning and the end of a number, so that its owner knows it."""
    return None if phone is None else f"{phone[:4]} ••• {phone[-2:]}"


def _masked(user_id: str) -> str:
    return f"•••{user_id[-3:]}"


def pace_of(actor: Actor, account_id: int) -> dict[str, Any]:
    """How much an account may still send, with the moments that count. Raises NotFound and Forbidden."""
    account = access.find(account_id)
    if not access.may_see(actor, account):
        raise Forbidden("not_your_account", "Only those who may use the account see this.")
    now = clock.now()
    known = pace.of_key(account.quota_key, account.strict_until, now)
    with system_scope("a ceiling of an account holds in every workspace"):
        rows = db.session.execute(
            select(Attempt.at, Attempt.workspace_id, Attempt.message_id)
            .where(Attempt.quota_key == account.quota_key, Attempt.at.in_(known.used), Attempt.phase == "started")
            .where(Attempt.kind.in_(pace.KINDS))
            .order_by(Attempt.at)
        ).all()
    slots = [
        {
            "at": row.at,
            "message_id": row.message_id if row.workspace_id == account.workspace_id else None,
            "workspace": "own" if row.workspace_id == account.workspace_id else "another",
        }
        for row in rows
    ]
    next_at = known.next_at(now)
    return {
        "ramp": {"day": known.ramp.day, "limit": known.ramp.limit},
        "daily_limit": known.daily_limit,
        "sent_today": len(known.used),
        "left_today": known.left_today,
        "next_at": next_at,
        "reason": known.limiting(now),
        "lookups_left_today": lookups.left_today(account.quota_key, now),
        "slots": slots,
    }
