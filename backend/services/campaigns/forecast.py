"""Forecasts: what the planner makes of an account's campaigns as they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db
from backend.models import Account, Campaign, CampaignMessage, CampaignRecipient, CampaignStep
from backend.services.accounts import lookups as account_lookups
from backend.services.accounts import pace as account_pace
from backend.services.campaigns import planner, recipient_hours, states, steps
from backend.services.campaigns.pace import DAY, Ceilings, Uses
from backend.services.campaigns.planner import NO_ANSWERS, Assumptions, Candidate, LeftOut, Planned
from backend.services.delivery import campaign_ceilings

MAX_PLANNED: Final = 3000
"""Messages that are planned one by one, most of a year; what comes after them goes on at their pace."""
_PER_HOURS: Final = 200
"""Recipients that are read of each kind of hours, where only the next ones are asked for."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an account has used of its ceilings. Times are aware UTC."""

    ceilings: Ceilings
    uses: Uses
    lookups: list[datetime]


@dataclass(frozen=True, slots=True)
class Ends:
    """When a plan ends, and what keeps it: hour, day, window, lookups or ramp."""

    earliest: datetime
    likely: datetime
    latest: datetime
    binding_limit: str
    messages: int


def ledger_of(account: Account, now: datetime) -> Ledger:
    """What an account has used."""
    state = account_pace.of_key(account.quota_key, account.strict_until, now)
    first = account_pace.first_connected_at(account.quota_key) or now
    ceilings = Ceilings(first, account.strict_until, relaxed=campaign_ceilings.RELAXED)
    uses = Uses(list(state.used), state.tried[-1] if state.tried else None)
    return Ledger(ceilings, uses, account_lookups.asked(account.quota_key, now - DAY))


def running_of(sender_id: int) -> list[Campaign]:
    """The campaigns that run from an account."""
    query = select(Campaign).where(Campaign.sender_id == sender_id, Campaign.state == states.RUNNING)
    return list(db.session.scalars(query.order_by(Campaign.id)))


def candidates(campaigns: Sequence[Campaign], *, ready_only: bool, most: int | None = _PER_HOURS) -> list[Candidate]:
    """The next steps of those who wait in these campaigns: `most` of each kind of hours, None for all.

    With `ready_only` without those who have to be looked up first.
    """
    by_campaign = steps.of_many([campaign.id for campaign in campaigns])
    entries: list[Candidate] = []
    for campaign in campaigns:
        for row in _rows(campaign, ready_only=ready_only, most=most):
            entries.append(candidate_of(row, campaign, by_campaign[campaign.id]))
    return entries


def candidate_of(row: Any, campaign: Campaign, of_campaign: Sequence[CampaignStep]) -> Candidate:
    """The next step of a recipient, given its columns."""
    return Candidate(
        row.id,
        campaign.id,
        row.step,
        row.due_at,
        recipient_hours.hours_of(row.hours_key, recipient_hours.window_of(campaign)),
        row.place,
        tuple(step.delay_days for step in of_campaign if step.position > row.step),
        needs_lookup=row.identity_id is None and row.step == 1,
    )


_COLUMNS: Final = (
    CampaignRecipient.id,
    CampaignRecipient.step,
    CampaignRecipient.due_at,
    CampaignRecipient.hours_key,
    CampaignRecipient.place,
    CampaignRecipient.identity_id,
)


def _rows(campaign: Campaign, *, ready_only: bool, most: int | None) -> Iterator[Any]:
    first = select(*_COLUMNS).where(
        CampaignRecipient.campaign_id == campaign.id,
        CampaignRecipient.state == "waiting",
        CampaignRecipient.step == 1,
        CampaignRecipient.hours_key.is_not(None),
    )
    if ready_only:
        first = first.where(CampaignRecipient.identity_id.is_not(None))
    if most is None:
        yield from db.session.execute(first.order_by(CampaignRecipient.place))
    else:
        for key in campaign.hours_keys:
            of_key = first.where(CampaignRecipient.hours_key == key).order_by(CampaignRecipient.place)
            yield from db.session.execute(of_key.limit(most))
    follow_ups = select(*_COLUMNS).where(
        CampaignRecipient.campaign_id == campaign.id,
        CampaignRecipient.ended_at.is_(None),
        CampaignRecipient.step > 1,
        CampaignRecipient.state.in_(states.PENDING),
        CampaignRecipient.hours_key.is_not(None),
    )
    follow_ups = follow_ups.order_by(CampaignRecipient.due_at, CampaignRecipient.place)
    yield from db.session.execute(follow_ups if most is None else follow_ups.limit(most * 5))


def last_served(campaigns: Sequence[Campaign]) -> dict[int, datetime]:
    """When each campaign last sent something."""
    query = (
        select(CampaignMessage.campaign_id, func.max(CampaignMessage.sent_at))
        .where(CampaignMessage.campaign_id.in_([campaign.id for campaign in campaigns]))
        .where(CampaignMessage.sent_at.is_not(None))
        .group_by(CampaignMessage.campaign_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query) if row[1] is not None}


def plan(
    account: Account,
    campaigns: Sequence[Campaign],
    entries: Iterable[Candidate],
    *,
    now: datetime | None = None,
    assumptions: Assumptions = NO_ANSWERS,
) -> Iterator[Planned | LeftOut]:
    """The plan of an account's campaigns from `now` on."""
    moment = now or clock.now()
    ledger = ledger_of(account, moment)
    return planner.plan(
        not_before(account, moment),
        ledger.ceilings,
        ledger.uses,
        entries,
        last_served=last_served(campaigns),
        assumptions=assumptions,
        lookups=ledger.lookups,
    )


def not_before(account: Account, now: datetime) -> datetime:
    """When an account may speak in campaigns at the earliest, as far as a pause says until when."""
    until = account.campaigns_paused_until if account.campaigns_pause_reason is not None else None
    return max([now, *(moment for moment in (until,) if moment is not None)])


def ends_of(
    account: Account, campaigns: Sequence[Campaign], entries: Sequence[Candidate], more: int, now: datetime
) -> Ends:
    """When everything is said: at the latest if everybody is found and nobody answers. `more` are recipients beyond
    those of `found`, who are counted at the same pace."""
    latest, last, bound = _end(account, campaigns, entries, more, now, Assumptions())
    likely, _, _ = _end(account, campaigns, entries, more, now, Assumptions(reply_rate=0.1, found_rate=0.8))
    earliest, _, _ = _end(account, campaigns, entries, more, now, Assumptions(reply_rate=0.5, found_rate=0.5))
    moments = sorted((earliest, likely, latest))
    return Ends(moments[0], moments[1], moments[2], bound, last)


def _end(
    account: Account,
    campaigns: Sequence[Campaign],
    entries: Sequence[Candidate],
    more: int,
    now: datetime,
    assumptions: Assumptions,
) -> tuple[datetime, int, str]:
    planned = [
        item
        for item in islice(
            plan(account, campaigns, entries, now=now, assumptions=assumptions), MAX_PLANNED + len(entries)
        )
        if isinstance(item, Planned)
    ][:MAX_PLANNED]
    if not planned:
        return now, 0, "hour"
    bounds = Counter(item.bound_by for item in planned if item.bound_by is not None)
    whole = sum(1 + len(candidate.delays) for candidate in entries)
    per_recipient = whole / max(1, len(entries))
    left = max(0, whole - len(planned)) + round(more * per_recipient) if len(planned) >= MAX_PLANNED or more else 0
    span = max(planned[-1].at - planned[0].at, timedelta(hours=1))
    end = planned[-1].at + span * (left / len(planned))
    return end, len(planned) + left, _binding(bounds)


def _binding(bounds: Counter[str]) -> str:
    """The limit that costs most time: a day's, the ramp's and the window's waits are longer than the hour's."""
    for name in ("lookups", "ramp", "day", "window"):
        if bounds[name]:
            return name
    return "hour"
