"""Asking a sender's provider who it is, and remembering the answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select

from backend.channels import registry
from backend.channels.base import SenderFacts
from backend.channels.errors import ChannelError, SenderDisabled
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services.senders import provider
from backend.services.senders.credentials import credentials_of
from backend.services.senders.events import SenderIdentified
from backend.services.senders.questions import NotAsked
from backend.services.senders.state import REFUSED, disable, enable

log = get_logger(__name__)

FRESH: Final = timedelta(hours=24)
"""How long a sender's name is believed. A name that could not be asked for again is believed longer."""
_REST: Final = timedelta(seconds=60)
_LENT: Final = timedelta(days=1)


def probe(sender: Sender) -> SenderFacts:
    """Asks who the sender is and keeps the answer (`username`, `facts`). Commits before and after the network call.

    A refused token disables the sender, an accepted one ends such a disabling. Raises one of the five channel errors,
    and NotAsked within a web request.
    """
    credentials, channel = credentials_of(sender), sender.channel
    db.session.commit()
    try:
        facts = provider.quick(channel).probe(credentials)
    except NotAsked:
        # Nothing new is known, so nothing is written.
        raise
    except ChannelError as error:
        with system_scope("a sender may serve several workspaces"):
            sender.facts = {**sender.facts, "probe_failed_at": clock.now().isoformat(), "probe_error": error.code}
            if isinstance(error, SenderDisabled):
                disable(sender, error.code)
            db.session.commit()
        raise
    with system_scope("a sender may serve several workspaces"):
        keep_facts(sender, facts)
        if sender.disabled_code in REFUSED:
            enable(sender, "probe_succeeded")
        db.session.commit()
    return facts


def keep_facts(sender: Sender, facts: SenderFacts) -> None:
    """Keeps what the provider has just said of the sender, in the caller's transaction."""
    was, sender.external_id, sender.username = sender.external_id, facts.external_id, facts.username
    other_facts = {name: value for name, value in sender.facts.items() if not name.startswith("probe")}
    sender.facts = {
        **other_facts,
        "display_name": facts.name,
        "capabilities": dict(facts.capabilities),
        "probed_at": clock.now().isoformat(),
    }
    if was != facts.external_id and sender.id is not None:
        db.session.flush()
        events.publish(SenderIdentified(sender.id))


def username_of(sender: Sender) -> str | None:
    """The sender's name in addresses, asked for when it is not known or old; ends the transaction then. None where it
    has none, or its provider refuses it.

    A name that is known stays good while the provider is away. Raises a channel error where it is not known then.
    """
    if not sender.is_active and not _may_recover(sender):
        return None
    is_known = _is_recent(sender, "probed_at", FRESH) or _is_recent(sender, "probe_failed_at", _REST)
    if sender.is_active and sender.username and is_known:
        return sender.username
    try:
        probe(sender)
    except SenderDisabled:
        return None
    except ChannelError:
        if not sender.username:
            raise
    return sender.username or None


def recheck_refused(most: int = 3) -> int:
    """Asks again for senders whose token was refused, as a provider's slip must not stop one for good, and for those
    whose id the provider has not told yet, as items may wait for it.

    The rests between the questions grow with the time since the refusal, from a minute to an hour. Commits; returns how
    many senders have had a good answer.
    """
    with system_scope("housekeeping"):
        refused = (
            Sender.is_active.is_(False)
            & Sender.disabled_code.in_(REFUSED)
            # A token that came as an argument is nobody's to mend: it is not asked about for ever.
            & or_(Sender.source != "arguments", Sender.disabled_at > clock.now() - _LENT)
        )
        unidentified = Sender.is_active.is_(True) & Sender.external_id.is_(None) & Sender.deleted_at.is_(None)
        # Those that keep a connection are asked by the process that has it.
        askable = Sender.channel.in_(registry.names_by_connection(kept=False))
        query = select(Sender).where(askable, or_(refused, unidentified)).order_by(Sender.id)
        candidates = db.session.execute(query).scalars()
        due = [sender for sender in candidates if sender.credentials_encrypted and _may_be_asked(sender)][:most]
        recovered = 0
        for sender in due:
            try:
                probe(sender)
                recovered += 1
            except ChannelError as error:
                log.info("sender_not_recovered", sender_id=sender.id, code=error.code)
    return recovered


def _may_be_asked(sender: Sender) -> bool:
    """Whether the provider may be asked by now about a sender that it refused, or whose id it has not told yet."""
    if sender.disabled_code is not None or not sender.is_active:
        return _may_recover(sender)
    failed_at = sender.facts.get("probe_failed_at")
    return not isinstance(failed_at, str) or _has_rested(datetime.fromisoformat(failed_at), sender.created_at)


def _may_recover(sender: Sender) -> bool:
    """Whether a sender that its provider refused may be asked for again by now."""
    if sender.disabled_code not in REFUSED or sender.disabled_at is None:
        return False
    failed_at = sender.facts.get("probe_failed_at")
    last = (
        max(sender.disabled_at, datetime.fromisoformat(failed_at)) if isinstance(failed_at, str) else sender.disabled_at
    )
    return _has_rested(last, sender.disabled_at)


def _has_rested(last: datetime, since: datetime) -> bool:
    """Whether the rest after the last question is over; it grows with how long the trouble lasts."""
    return clock.now() - last >= min(max(_REST, (clock.now() - since) / 10), timedelta(hours=1))


def _is_recent(sender: Sender, name: str, age: timedelta) -> bool:
    value = sender.facts.get(name)
    return isinstance(value, str) and clock.now() - datetime.fromisoformat(value) < age
