"""Releases what is due: each account's next message is given to the outbox shortly before its moment.

An account has its turn in one transaction, under the lock of its quota key, so that of several processes and workspaces
one decides at a time. At most one message of an account is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, DateTime, SmallInteger, Text, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import clock, failpoints
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.work import AWAY, Turn, Waiting, Work, register
from backend.models import Account, Campaign, CampaignMessage
from backend.services import accounts
from backend.services.accounts import lookups as account_lookups
from backend.services.auth import attribution
from backend.services.campaigns import discovery, forecast, lifecycle, outgoing, recipient_hours, states, wakening
from backend.services.campaigns.planner import LeftOut, Planned
from backend.services.campaigns.windows import is_open

log = get_logger(__name__)

LEAD: Final = timedelta(seconds=20)
"""How long before its moment a message is given to the outbox, which waits for the moment itself."""
LOOK_AGAIN: Final = timedelta(minutes=1)
"""When an account has another turn that waits for an answer; the answer itself makes it sooner."""
HELD: Final = timedelta(minutes=5)
MAX_TRIES: Final = 50
"""Recipients that are passed over in one turn of an account before others have theirs."""
SHOWN: Final = 200
"""Recipients whose planned moment is kept."""
_WHY: Final = "campaigns of every workspace"


def waiting() -> Waiting:
    """Campaigns whose account has its turn."""
    return (select(Campaign.id).where(*_due()),)


def drain(turn: Turn) -> int:
    """Serves accounts that are due until the turn is over; returns how many messages were released."""
    released, seen = 0, set[tuple[int, int | None]]()
    while (due_account := _next(seen)) is not None:
        seen.add(due_account)
        workspace_id, sender_id = due_account
        try:
            with workspace_scope(workspace_id):
                released += serve_account(sender_id)
                failpoints.hit("campaign.released_not_committed")
                db.session.commit()
            failpoints.hit("campaign.released")
        except AWAY:
            db.session.rollback()
            raise
        except Exception as error:
            db.session.rollback()
            log.exception("campaign_turn_failed", sender_id=sender_id, error=type(error).__name__)
            _put_off(workspace_id, sender_id)
        if turn.is_over():
            turn.go_on_later()
            break
    return released


def serve_account(sender_id: int | None) -> int:
    """Does what an account's campaigns need now, in the caller's transaction; returns how many messages it released."""
    now = clock.now()
    account = None if sender_id is None else accounts.of_sender(sender_id)
    if sender_id is None or account is None or account.deleted_at is not None:
        return _without_account(sender_id)
    lock = account_lookups.turn_lock(account.quota_key)
    if not db.session.execute(select(func.pg_try_advisory_xact_lock(lock))).scalar_one():
        _look_again(sender_id, now + timedelta(seconds=2))
        return 0
    account_lookups.bound_idleness()
    _begin_scheduled(sender_id, now)
    running = [campaign for campaign in forecast.running_of(sender_id) if not lifecycle.finish_if_done(campaign)]
    if not running:
        return 0
    unresolved = sum(recipient_hours.resolve(campaign) for campaign in running) > 0
    hold = hold_of(account, now)
    if hold is not None:
        _look_again(sender_id, min(hold, now + HELD))
        return 0
    if _is_under_way(account.quota_key):
        _look_again(sender_id, now + LOOK_AGAIN)
        return 0
    discovery.look_ahead(account, running)
    released, next_moment = _release_first(account, running, now)
    _show_plan(account, running, now)
    following = now + LOOK_AGAIN if released or next_moment is None else max(next_moment - LEAD, now)
    _look_again(sender_id, now if unresolved and not released else following)
    return released


def hold_of(account: Account, now: datetime) -> datetime | None:
    """Until when an account speaks in no campaign; a far moment where a person has to decide; None where it may."""
    far = now + timedelta(days=1)
    if account.state in ("needs_login", "frozen", "limited"):
        return far
    if account.campaigns_pause_reason is not None:
        until = account.campaigns_paused_until
        if until is None or until > now:
            return until or far
    return None


def _release_first(account: Account, running: list[Campaign], now: datetime) -> tuple[int, datetime | None]:
    """Releases the first message of the plan where its moment has come; returns how many, and the next moment."""
    by_id = {campaign.id: campaign for campaign in running}
    candidates = {candidate.recipient_id: candidate for candidate in forecast.candidates(running, ready_only=True)}
    for _ in range(MAX_TRIES):
        item = next(iter(forecast.plan(account, running, candidates.values(), now=now)), None)
        if item is None:
            return 0, None
        if isinstance(item, LeftOut):
            outgoing.leave_out(item)
        elif item.at > now + LEAD:
            return 0, item.at
        elif _release(account, by_id[item.candidate.campaign_id], item):
            return 1, None
        del candidates[item.candidate.recipient_id]
    return 0, now


def _release(account: Account, campaign: Campaign, item: Planned) -> bool:
    """Releases a message; one whose making fails here ends for its recipient alone, and everybody else goes on."""
    recipient_id = item.candidate.recipient_id
    try:
        with db.session.begin_nested():
            return outgoing.release(account, campaign, item)
    except AWAY:
        raise
    except Exception as error:
        log.exception("campaign_message_failed", recipient_id=recipient_id, error=type(error).__name__)
        outgoing.end_broken(recipient_id)
        return False


def _show_plan(account: Account, running: list[Campaign], now: datetime) -> None:
    """Keeps the planned moments of the next recipients, and why they wait: one statement for all of them."""
    candidates = forecast.candidates(running, ready_only=False)
    shown: list[tuple[Planned, str]] = []
    for item in forecast.plan(account, running, candidates, now=now):
        if not isinstance(item, Planned):
            continue
        if item.candidate.step > 1 and item.candidate.due_at > now:
            reason = "previous_step"
        elif not is_open(item.candidate.hours, now):
            reason = "outside_window"
        else:
            reason = "queued" if shown else _REASONS.get(item.bound_by or "", "queued")
        shown.append((item, reason))
        if len(shown) == SHOWN:
            break
    if shown:
        _keep_plan(account.workspace_id, shown)


_REASONS: Final = {"hour": "hour_limit", "day": "day_limit", "ramp": "ramp", "window": "outside_window"}


_KEEP_PLAN: Final = text(
    """
    WITH free AS MATERIALIZED (
        SELECT o.id, o.reason, o.due_at FROM campaign_recipients o
         WHERE o.id = ANY(:ids) AND o.workspace_id = :workspace_id AND o.state IN ('waiting', 'sent')
         ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE campaign_recipients r
       SET planned_at = w.at, reason = n.reason
      FROM unnest(:ids, :steps, :moments, :reasons, :lookups) AS w(id, step, at, reason, needs_lookup)
      JOIN free o ON o.id = w.id
     CROSS JOIN LATERAL (
            SELECT CASE WHEN w.needs_lookup OR (o.reason = 'recently_contacted' AND o.due_at > :now)
                        THEN o.reason ELSE w.reason END AS reason) n
     WHERE r.id = w.id AND r.step = w.step AND (r.planned_at IS DISTINCT FROM w.at OR r.reason <> n.reason)
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("steps", type_=ARRAY(SmallInteger)),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("lookups", type_=ARRAY(Boolean)),
    bindparam("now", type_=DateTime(timezone=True)),
)


def _keep_plan(workspace_id: int, shown: Sequence[tuple[Planned, str]]) -> None:
    """Keeps it for those whom nobody else is just changing: whoever does wakes the account, and the next turn shows
    them."""
    values = {
        "workspace_id": workspace_id,
        "ids": [item.candidate.recipient_id for item, _ in shown],
        "steps": [item.candidate.step for item, _ in shown],
        "moments": [item.at for item, _ in shown],
        "reasons": [reason for _, reason in shown],
        "lookups": [item.candidate.needs_lookup for item, _ in shown],
        "now": clock.now(),
    }
    with system_scope("one statement over the recipients of the workspace that it names"):
        db.session.flush()
        db.session.execute(_KEEP_PLAN, values)


def _due() -> tuple[Any, ...]:
    return (Campaign.state.in_((states.SCHEDULED, states.RUNNING)), Campaign.next_turn_at <= clock.now())


def _next(seen: set[tuple[int, int | None]]) -> tuple[int, int | None] | None:
    with system_scope(_WHY):
        rows = db.session.execute(
            select(Campaign.workspace_id, Campaign.sender_id).where(*_due()).order_by(Campaign.next_turn_at).limit(100)
        ).all()
        db.session.rollback()
    return next(((row[0], row[1]) for row in rows if (row[0], row[1]) not in seen), None)


def _begin_scheduled(sender_id: int, now: datetime) -> None:
    due = select(Campaign).where(
        Campaign.sender_id == sender_id, Campaign.state == states.SCHEDULED, Campaign.scheduled_at <= now
    )
    for campaign in db.session.scalars(due):
        campaign.state = states.RUNNING
    db.session.flush()


def _is_under_way(quota_key: bytes) -> bool:
    """Whether a message of this account is under way, in whatever workspace."""
    with system_scope("one person's account may be connected in several workspaces"):
        db.session.flush()
        query = (
            select(CampaignMessage.id)
            .join(Account, Account.sender_id == CampaignMessage.sender_id)
            .where(Account.quota_key == quota_key, CampaignMessage.state == "sending")
        )
        return db.session.execute(query.limit(1)).first() is not None


def _without_account(sender_id: int | None) -> int:
    """Campaigns whose account is gone wait for the operator to choose another."""
    gone = Campaign.sender_id.is_(None) if sender_id is None else Campaign.sender_id == sender_id
    for campaign in db.session.scalars(select(Campaign).where(gone, *_due())):
        campaign.state = states.RUNNING
        lifecycle.pause(attribution.SYSTEM, campaign, "account")
    return 0


def _look_again(sender_id: int, at: datetime) -> None:
    db.session.execute(
        update(Campaign)
        .where(Campaign.sender_id == sender_id, Campaign.state == states.RUNNING)
        .values(next_turn_at=at)
        .execution_options(synchronize_session="fetch")
    )


def _put_off(workspace_id: int, sender_id: int | None) -> None:
    """An account that cannot be served is tried again later, so that it keeps nobody else from their turn."""
    with workspace_scope(workspace_id):
        db.session.execute(
            update(Campaign)
            .where(Campaign.sender_id == sender_id, *_due())
            .values(next_turn_at=clock.now() + HELD)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()


WORK: Final = register(Work("campaigns", wakening.QUEUE, waiting, drain))
