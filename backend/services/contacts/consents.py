"""Consents: what a person agreed to and when. Entries are only added; of several the latest obtained counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import Consent, Contact, ContactPoint
from backend.services import live, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import consent_rules, settings
from backend.services.contacts.consent_rules import Rules
from backend.services.contacts.faults import invalid

CHANNELS: Final = ("telegram", "whatsapp", "messenger", "instagram", "email", "phone")
PURPOSES: Final = ("marketing", "service", "event", "other")
BASES: Final = ("consent", "soft_opt_in", "contract", "legitimate_interest")
STATES: Final = ("given", "withdrawn", "expired")
SOURCES: Final = ("form", "import", "bot_link", "chat", "event", "paper", "api")
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


def record(by: Attribution, contact: Contact, entry: Mapping[str, Any]) -> Consent:
    """Adds an entry for a contact; a consent under the rules of Korea expires after two years at the latest.

    Raises Invalid: obtained_in_future, expires_before_obtained.
    """
    now = clock.now()
    obtained_at: datetime = entry.get("obtained_at") or now
    if obtained_at > now + _CLOCKS_DIFFER:
        raise invalid("obtained_at", "obtained_in_future", "A consent was obtained in the past.")
    expires_at = entry.get("expires_at")
    if expires_at is not None and expires_at <= obtained_at:
        raise invalid("expires_at", "expires_before_obtained", "A consent expires after it was obtained.")
    purpose = entry.get("purpose", "marketing")
    state = entry.get("state", "given")
    if state == "given":
        limit = consent_rules.expiry(rules_for(contact), purpose, obtained_at)
        expires_at = min(filter(None, (expires_at, limit)), default=None)
    consent = Consent(
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        channel=entry["channel"],
        purpose=purpose,
        basis=entry.get("basis", "consent"),
        state=state,
        source=entry.get("source", "api"),
        source_detail=entry.get("source_detail"),
        wording=entry.get("wording"),
        evidence=entry.get("evidence"),
        night_ok=entry.get("night_ok", False),
        obtained_at=obtained_at,
        obtained_by=entry.get("obtained_by"),
        recorded_at=now,
        recorded_by=by.label,
        expires_at=expires_at if state == "given" else None,
    )
    db.session.add(consent)
    db.session.flush()
    audit.record(by, "consent.recorded", f"contact:{contact.id}", consent_id=consent.id, state=state)
    live.note(contact.workspace_id, "contacts", contact_id=contact.id)
    return consent


def rules_for(contact: Contact) -> Rules | None:
    """The consent rules that hold for a contact."""
    numbers = select(ContactPoint).where(ContactPoint.contact_id == contact.id, ContactPoint.kind == "phone")
    values = [point.value for point in db.session.scalars(numbers)]
    return consent_rules.applying(settings.get().rules, values, contact.region)


def listing(
    contact_id: int, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Consent], str | None]:
    """A contact's entries, the last recorded first."""
    return paging.page(select(Consent).where(Consent.contact_id == contact_id), Consent.id, cursor=cursor, limit=limit)


def current(contact_ids: Sequence[int]) -> dict[int, list[Consent]]:
    """The entry that counts for each channel and purpose of these contacts."""
    query = (
        select(Consent)
        .where(Consent.contact_id.in_(contact_ids))
        .order_by(Consent.contact_id, Consent.channel, Consent.purpose, Consent.obtained_at, Consent.id)
    )
    latest = {(entry.contact_id, entry.channel, entry.purpose): entry for entry in db.session.scalars(query)}
    entries: dict[int, list[Consent]] = {}
    for entry in latest.values():
        entries.setdefault(entry.contact_id, []).append(entry)
    return entries


def state_of(entry: Consent, now: datetime) -> str:
    """The entry's state at a moment: one that was given is `expired` from `expires_at` on."""
    is_over = entry.state == "given" and entry.expires_at is not None and entry.expires_at <= now
    return "expired" if is_over else entry.state


def holds(contact_id: int, channel: str, purpose: str = "marketing", *, at: datetime | None = None) -> Consent | None:
    """The consent in force for a channel and purpose; None where nobody gave one or it is over."""
    moment = at or clock.now()
    for entry in current([contact_id]).get(contact_id, []):
        if (entry.channel, entry.purpose) == (channel, purpose) and state_of(entry, moment) == "given":
            return entry
    return None
