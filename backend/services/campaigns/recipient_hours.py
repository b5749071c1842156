"""When a recipient may be written to: the campaign's window in all zones the person may be in, and no night where a law
forbids it.

What is known of a person's zones is kept with the recipient as a key, so that people with the same hours are planned
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import select, update

from backend.core import clock
from backend.core.database import db
from backend.models import Campaign, CampaignRecipient, Contact, ContactPoint
from backend.services.campaigns import windows
from backend.services.campaigns.windows import EVERY_DAY, Hours, Window, ZonedWindow
from backend.services.contacts import consent_rules, consents, phones, settings

CHANNEL: Final = "telegram"
_BATCH: Final = 500
_LIST: Final = "|"
_RULES: Final = ";"
_FALLBACK: Final = "UTC"


@lru_cache(maxsize=4096)
def hours_of(key: str, window: Window | None) -> Hours:
    """The hours that a key stands for, with the campaign's window."""
    zones, _, rules = key.partition(_RULES)
    night = [_no_night()] if rules == consent_rules.KOREA.name else []
    return windows.hours(window, zones.split(_LIST), *night)


def window_of(campaign: Campaign) -> Window | None:
    """The campaign's window; None for any time."""
    return None if campaign.window is None else Window.of(campaign.window)


def resolve(campaign: Campaign, most: int = _BATCH) -> int:
    """Finds out the hours of the next recipients of whom nobody has; returns how many."""
    waiting: Sequence[Any] = db.session.execute(
        select(CampaignRecipient.id, CampaignRecipient.contact_id)
        .where(
            CampaignRecipient.campaign_id == campaign.id,
            CampaignRecipient.hours_key.is_(None),
            CampaignRecipient.ended_at.is_(None),
        )
        .order_by(CampaignRecipient.place)
        .limit(most)
    ).all()
    if not waiting:
        return 0
    keys = keys_of([row.contact_id for row in waiting], campaign.purpose, window_of(campaign))
    by_key: dict[tuple[str, bool], list[int]] = {}
    for row in waiting:
        if row.contact_id in keys:
            by_key.setdefault(keys[row.contact_id], []).append(row.id)
    for (key, is_guessed), ids in by_key.items():
        db.session.execute(
            update(CampaignRecipient)
            .where(CampaignRecipient.id.in_(ids))
            .values(hours_key=key, zones_guessed=is_guessed)
            .execution_options(synchronize_session=False)
        )
    campaign.hours_keys = sorted({*campaign.hours_keys, *(key for key, _ in by_key)})
    db.session.flush()
    return len(waiting)


def keys_of(contact_ids: Sequence[int], purpose: str, window: Window | None) -> dict[int, tuple[str, bool]]:
    """The key of each contact's hours, and whether the zone is a guess."""
    workspace = settings.get()
    numbers: dict[int, list[str]] = {}
    points = select(ContactPoint).where(ContactPoint.contact_id.in_(contact_ids), ContactPoint.kind == "phone")
    for point in db.session.scalars(points.order_by(ContactPoint.is_primary.desc(), ContactPoint.id)):
        numbers.setdefault(point.contact_id, []).append(point.value)
    entries = consents.current(contact_ids)
    keys: dict[int, tuple[str, bool]] = {}
    now = clock.now()
    for contact in db.session.scalars(select(Contact).where(Contact.id.in_(contact_ids))):
        own = numbers.get(contact.id, [])
        rules = consent_rules.applying(workspace.rules, own, contact.region)
        is_marketing = purpose == consent_rules.PURPOSE
        night_ok = any(
            entry.night_ok and consents.state_of(entry, now) == "given"
            for entry in entries.get(contact.id, [])
            if (entry.channel, entry.purpose) == (CHANNEL, purpose)
        )
        suffix = f"{_RULES}{rules.name}" if rules is not None and is_marketing and not night_ok else ""
        keys[contact.id] = _key(_zones(contact, own), suffix, window, workspace.timezone)
    return keys


def _zones(contact: Contact, numbers: Sequence[str]) -> tuple[str, ...]:
    if contact.timezone and settings.is_timezone(contact.timezone):
        return (contact.timezone,)
    return _zones_of(numbers[0]) if numbers else ()


@lru_cache(maxsize=65_536)
def _zones_of(number: str) -> tuple[str, ...]:
    return phones.zones_of(number)


def _key(zones: tuple[str, ...], rules: str, window: Window | None, workspace_zone: str | None) -> tuple[str, bool]:
    """The key, and whether it is a guess: the workspace's zone where none is known, or one zone of many that share no
    hour."""
    if zones and _opens(_LIST.join(zones) + rules, window):
        return _LIST.join(zones) + rules, False
    guessed = workspace_zone or (zones[len(zones) // 2] if zones else _FALLBACK)
    return guessed + rules, True


@lru_cache(maxsize=4096)
def _opens(key: str, window: Window | None) -> bool:
    return windows.next_opening(hours_of(key, window), datetime(2026, 1, 1, tzinfo=UTC)) is not None


def _no_night() -> ZonedWindow:
    rules = consent_rules.KOREA
    return ZonedWindow(Window(EVERY_DAY, rules.night_until, rules.night_from), rules.zone)


def known_keys(campaigns: Iterable[Campaign]) -> set[str]:
    """The kinds of hours that the recipients of these campaigns have."""
    return {key for campaign in campaigns for key in campaign.hours_keys}
