"""Look-ups: whose is a phone number or a user name, asked of the provider by one account.

Asking is rationed by the account's quota key over the whole instance: at most 30 in 24 hours and one in 3 seconds. What
was asked stands in `attempts`, which removing the account does not free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from backend.channels.inbound import Person
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.models import Account, AccountLookup, Attempt, ContactPoint
from backend.services import conversations, live
from backend.services.accounts import peers
from backend.services.accounts.channel_name import CHANNEL
from backend.services.accounts.events import LookupFinished

PER_DAY: Final = 30
EVERY: Final = timedelta(seconds=3)
DAY: Final = timedelta(hours=24)
FRESH: Final = timedelta(days=30)
"""How long a result is believed."""
AGAIN_AFTER: Final = {"limited": timedelta(hours=1), "unknown": timedelta(days=1)}
"""When a look-up that was cut short, or told nothing, is tried again; it costs one of the day's thirty."""
CUT_OFF_AFTER: Final = timedelta(minutes=1)
IDLE_TRANSACTION: Final = "30s"
KINDS: Final = ("phone", "username")
_OPERATION: Final = "lookup"


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Whom the provider named: the person, the account's access hash of them, and by what they were found."""

    person: Person
    access_hash: int
    found_by: str


def request(sender_id: int, contact_point_ids: Sequence[int], *, add_to_contacts: bool = False) -> int:
    """Has the account look these points of the workspace in scope up, in the caller's transaction; returns how many are
    new or asked again. A result younger than `FRESH` stands, points of other kinds are passed over."""
    points = db.session.execute(
        select(ContactPoint.id, ContactPoint.workspace_id)
        .where(ContactPoint.id.in_(contact_point_ids), ContactPoint.kind.in_(KINDS))
        .order_by(ContactPoint.id)
    ).all()
    if not points:
        return 0
    now = clock.now()
    rows = [
        {
            "workspace_id": point.workspace_id,
            "sender_id": sender_id,
            "contact_point_id": point.id,
            "add_to_contacts": add_to_contacts,
            "state": "due",
            "created_at": now,
            "next_at": now,
        }
        for point in points
    ]
    added = db.session.execute(
        insert(AccountLookup)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["sender_id", "contact_point_id"])
        .returning(AccountLookup.id)
    ).all()
    stale = db.session.execute(
        update(AccountLookup)
        .where(AccountLookup.sender_id == sender_id, AccountLookup.state == "done")
        .where(AccountLookup.contact_point_id.in_([point.id for point in points]))
        .where((AccountLookup.finished_at < now - FRESH) | (AccountLookup.result.in_(("unknown", "limited"))))
        .where(AccountLookup.next_at <= now)
        .values(state="due", add_to_contacts=add_to_contacts)
        .returning(AccountLookup.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(added) + len(stale)


def result_of(sender_id: int, contact_point_id: int) -> AccountLookup | None:
    """What this account found out about a point of the workspace in scope; None where it was never asked."""
    return db.session.execute(
        select(AccountLookup).where(
            AccountLookup.sender_id == sender_id, AccountLookup.contact_point_id == contact_point_id
        )
    ).scalar_one_or_none()


def asked(quota_key: bytes, since: datetime) -> list[datetime]:
    """When the account asked, after `since`, in whatever workspace; the oldest first."""
    with system_scope("a ceiling of an account holds in every workspace"):
        return list(
            db.session.scalars(
                select(Attempt.at)
                .where(Attempt.quota_key == quota_key, Attempt.at > since, Attempt.operation == _OPERATION)
                .order_by(Attempt.at)
            )
        )


def left_today(quota_key: bytes, now: datetime) -> int:
    """How many more may be asked in the present 24 hours."""
    return max(0, PER_DAY - len(asked(quota_key, now - DAY)))


def next_moment(quota_key: bytes, now: datetime) -> datetime:
    """When the next may be asked; not before `now`."""
    moments = asked(quota_key, now - DAY)
    if not moments:
        return now
    earliest = max(now, moments[-1] + EVERY)
    return earliest if len(moments) < PER_DAY else max(earliest, moments[-PER_DAY] + DAY)


def begin(account: Account, epoch: int, now: datetime) -> AccountLookup | None:
    """Takes the next look-up of an account that may be asked now, notes it as asked, and returns it; None where there
    is none, or the account has to wait. In the system scope; the caller commits before it asks.

    What is still running was cut off: of an earlier lease at once, of this one after a minute, longer than an answer
    and its record take.
    """
    if account.lookups_paused_until is not None and account.lookups_paused_until > now:
        return None
    # Several senders may be one person's account: they take turns.
    db.session.execute(select(func.pg_advisory_xact_lock(_lock_number(account.quota_key))))
    if next_moment(account.quota_key, now) > now:
        return None
    lookup = db.session.execute(
        select(AccountLookup)
        .where(AccountLookup.sender_id == account.sender_id, AccountLookup.next_at <= now)
        .where(
            (AccountLookup.state == "due")
            | ((AccountLookup.state == "running") & (AccountLookup.epoch < epoch))
            | ((AccountLookup.state == "running") & (AccountLookup.asked_at <= now - CUT_OFF_AFTER))
        )
        .order_by(AccountLookup.next_at, AccountLookup.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()
    if lookup is None:
        return None
    lookup.state, lookup.epoch, lookup.asked_at = "running", epoch, now
    db.session.add(
        Attempt(
            workspace_id=lookup.workspace_id,
            sender_id=lookup.sender_id,
            delivery_id=lookup.id,
            part=0,
            operation=_OPERATION,
            phase="started",
            epoch=epoch,
            at=now,
            kind=_OPERATION,
            quota_key=account.quota_key,
        )
    )
    db.session.flush()
    return lookup


def put_off(lookup_id: int, epoch: int, until: datetime) -> None:
    """Gives back a look-up that was not answered; it is due again at `until`. In the system scope."""
    db.session.execute(
        update(AccountLookup)
        .where(AccountLookup.id == lookup_id, AccountLookup.epoch == epoch, AccountLookup.state == "running")
        .values(state="due", next_at=until)
        .execution_options(synchronize_session="fetch")
    )


def finish(lookup_id: int, epoch: int, result: str, person: FoundPerson | None = None) -> bool:
    """Records the answer to a look-up, with whom it named, in the caller's transaction and in the system scope; False
    where another process has taken it over. A user name that means another person than before is `identity_changed`."""
    wait_for_turn_of(lookup_id)
    lookup = db.session.execute(
        select(AccountLookup)
        .where(AccountLookup.id == lookup_id, AccountLookup.epoch == epoch, AccountLookup.state == "running")
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if lookup is None:
        return False
    identity_id = None
    if person is not None:
        identity = conversations.identity_of(CHANNEL, person.person, workspace_id=lookup.workspace_id)
        identity_id = identity.id
        if _is_pinned_to_another(lookup, identity.external_hash):
            result = "identity_changed"
        else:
            peers.remember(lookup.sender_id, lookup.workspace_id, identity.id, person.access_hash, person.found_by)
    now = clock.now()
    lookup.state, lookup.result, lookup.identity_id, lookup.finished_at = "done", result, identity_id, now
    lookup.next_at = now + AGAIN_AFTER.get(result, timedelta(0))
    db.session.flush()
    live.note(lookup.workspace_id, "accounts", account_id=lookup.sender_id)
    known_id = identity_id if result == "found" else None
    events.publish(LookupFinished(lookup.workspace_id, lookup.sender_id, lookup.contact_point_id, result, known_id))
    return True


def _is_pinned_to_another(lookup: AccountLookup, external_hash: bytes) -> bool:
    """Pins a user name to the first person it meant; whether it meant another one."""
    point = db.session.get(ContactPoint, lookup.contact_point_id, populate_existing=True, with_for_update=True)
    if point is None or point.kind != "username":
        return False
    if point.pinned_hash is None:
        point.pinned_hash = external_hash
        return False
    if point.pinned_hash == external_hash:
        return False
    point.changed_at = point.changed_at or clock.now()
    return True


def wait_for_turn_of(lookup_id: int) -> None:
    """Waits until no turn of the account's campaigns is under way, and keeps the next one waiting until the end of the
    transaction: both change the same recipients."""
    key = db.session.scalar(
        select(Account.quota_key)
        .join(AccountLookup, AccountLookup.sender_id == Account.sender_id)
        .where(AccountLookup.id == lookup_id)
    )
    if key is not None:
        bound_idleness()
        db.session.execute(select(func.pg_advisory_xact_lock(turn_lock(key))))


def bound_idleness() -> None:
    """Has PostgreSQL end this transaction when nothing is heard of it for a while: a process that stands still must not
    keep the lock of an account's turn from its successor."""
    db.session.execute(select(func.set_config("idle_in_transaction_session_timeout", IDLE_TRANSACTION, True)))


def turn_lock(quota_key: bytes) -> int:
    """The number of the lock under which an account has its turn."""
    return int.from_bytes(quota_key[:7])


def _lock_number(quota_key: bytes) -> int:
    return int.from_bytes(quota_key[:8], "big", signed=True)
