"""What a provider's webhooks say of an integration itself: its templates, its number's quality, its account.

Events may come late and in any order: one that is older than what is known changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from backend.channels.graph import reading
from backend.channels.inbound import AccountChanged
from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import ChannelSetup, MessageTemplate, Sender
from backend.services.channel_setup import states
from backend.services.channel_setup.platforms import PLATFORMS

_TEMPLATE_STATUS: Final = "message_template_status_update"
_TEMPLATE_QUALITY: Final = "message_template_quality_update"
_TEMPLATE_CATEGORY: Final = "template_category_update"
_TEMPLATES: Final = frozenset(
    {_TEMPLATE_STATUS, _TEMPLATE_QUALITY, _TEMPLATE_CATEGORY, "message_template_components_update"}
)
_NUMBER: Final = frozenset({"phone_number_quality_update", "phone_number_name_update", "business_capability_update"})
_ACCOUNT: Final = frozenset({"account_update", "account_alerts", "account_review_update", "security"})
_MAX_WORD: Final = 100
_MAX_FACTS: Final = 20


def account_changed(sender: Sender, event: AccountChanged) -> None:
    """Takes one such event into what is known, in the caller's transaction and in the system scope."""
    if sender.channel not in PLATFORMS or sender.workspace_id is None:
        return
    setup = states.of(sender, lock=True)
    if event.kind in _TEMPLATES:
        with workspace_scope(sender.workspace_id):
            _template(setup, event)
    if event.kind in _NUMBER | _ACCOUNT:
        words = _words(event.facts)
        at = event.date or clock.now()
        known = setup.account.get(event.kind)
        if not isinstance(known, dict) or str(known.get("at", "")) <= at.isoformat():
            setup.account = {**setup.account, event.kind: {**words, "at": at.isoformat()}}
        # Whatever it was, the provider is asked how things stand.
        setup.check_at = clock.now()
    db.session.flush()


def _template(setup: ChannelSetup, event: AccountChanged) -> None:
    facts = event.facts
    template_id = reading.identifier(facts.get("message_template_id"))
    rows = list(
        db.session.execute(
            select(MessageTemplate)
            .where(MessageTemplate.external_id == template_id)
            .order_by(MessageTemplate.id)
            .with_for_update()
        ).scalars()
    )
    changes = _changes(event)
    for row in rows:
        if changes and not _is_older(event.date, row, setup):
            for name, value in changes.items():
                setattr(row, name, value)
            row.changed_at = event.date or clock.now()
    if not rows or not changes:
        # A new template, or another text: the event does not say all of it.
        setup.templates_at = None
        setup.check_at = clock.now()


def _changes(event: AccountChanged) -> dict[str, Any]:
    facts = event.facts
    if event.kind == _TEMPLATE_STATUS and (state := _word(facts, "event")):
        reason = _word(facts, "reason")
        return {"state": state, "reason": reason if reason not in ("", "none") else None}
    if event.kind == _TEMPLATE_QUALITY and (quality := _word(facts, "new_quality_score")):
        return {"quality": quality}
    if event.kind == _TEMPLATE_CATEGORY and (category := _word(facts, "new_category")):
        return {"category": category}
    return {}


def _is_older(date: datetime | None, row: MessageTemplate, setup: ChannelSetup) -> bool:
    return date is not None and (
        date < row.changed_at or (setup.templates_at is not None and date < setup.templates_at)
    )


def _words(facts: Mapping[str, Any]) -> dict[str, str]:
    """The plain words of an event, bounded: what is nested says nothing that a check does not ask for."""
    plain = {
        str(name)[:_MAX_WORD]: reading.text(str(value), 300)
        for name, value in facts.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    return dict(list(plain.items())[:_MAX_FACTS])


def _word(facts: Mapping[str, Any], name: str) -> str:
    return reading.text(facts.get(name), _MAX_WORD).strip().lower()
