"""The link by which a person agrees to be written to: it asks in the workspace's words, and records what it asked."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core.database import db, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Contact, ContactPoint
from backend.services.contacts import consents, person_links, records, settings, suppressions, unsubscribe
from backend.services.contacts.person_links import PersonLink

PATH: Final = "o"
CHANNEL: Final = "telegram"
PURPOSE: Final = "marketing"
_PURPOSE: Final = "opt_in"


@dataclass(frozen=True, slots=True)
class Question:
    """What the page asks one person."""

    workspace: str
    wording: str
    asks_night: bool
    """Whether the consent rules ask for a consent of its own for the night."""
    agreed_at: datetime | None
    """Since when a consent is in force."""

    @property
    def digest(self) -> str:
        """Of the wording: what is agreed to is what was shown."""
        return hashlib.sha256(self.wording.encode()).hexdigest()[:16]


def link_of_contact(contact_id: int) -> str:
    """The address of the page for a contact. Raises NotFound, Conflict (no_opt_in_wording), Invalid (no_point)."""
    contact = records.get(contact_id)
    wording()
    own = select(ContactPoint).where(ContactPoint.contact_id == contact.id).order_by(ContactPoint.id).limit(1)
    point = db.session.scalar(own)
    if point is None:
        raise Invalid.of("contact_id", "no_point", "The contact has nothing by which they are known.")
    return person_links.address_of(_PURPOSE, PATH, point)


def read(token: str) -> PersonLink:
    """Whom a link speaks for. Raises NotFound: link_unknown, link_expired."""
    return person_links.read(_PURPOSE, token)


def question_of(link: PersonLink) -> Question:
    """What the page asks. Raises NotFound where the contact is gone or the workspace asks nothing any more."""
    with workspace_scope(link.workspace_id):
        contact = _contact(link, lock=False)
        suppressed = bool(suppressions.suppressed_among({link.value_hash}))
        try:
            return ask(link.workspace_id, contact, suppressed=suppressed)
        except Conflict:
            raise _gone() from None


def ask(workspace_id: int, contact: Contact, *, suppressed: bool) -> Question:
    """What a contact of the workspace in scope is asked. Raises Conflict (no_opt_in_wording), NotFound."""
    name, words = unsubscribe.name_of_workspace(workspace_id), wording()
    entry = consents.holds(contact.id, CHANNEL, PURPOSE)
    agreed_at = entry.obtained_at if entry is not None and not suppressed else None
    return Question(name, words, consents.rules_for(contact) is not None, agreed_at)


def agree(link: PersonLink, digest: str, *, night_ok: bool) -> bool:
    """Records that the person agreed to the wording of this digest, and lifts their suppressions. Again is harmless.

    Returns False, with nothing recorded, where the wording is another one by now: it has to be read first. Raises
    NotFound.
    """
    asked = question_of(link)
    if not hmac.compare_digest(digest.encode(), asked.digest.encode()):
        return False
    with workspace_scope(link.workspace_id):
        contact = _contact(link, lock=True)
        entry = consents.holds(contact.id, CHANNEL, PURPOSE)
        if entry is None or entry.wording != asked.wording or (night_ok and not entry.night_ok):
            given = {"channel": CHANNEL, "purpose": PURPOSE, "source": "form", "source_detail": "opt-in page"}
            consents.record(
                unsubscribe.PERSON,
                contact,
                given | {"wording": asked.wording, "night_ok": night_ok and asked.asks_night},
            )
        suppressions.lift_of_contact(unsubscribe.PERSON, contact.id)
    return True


def _contact(link: PersonLink, *, lock: bool) -> Contact:
    try:
        return records.get(link.contact_id, lock=lock)
    except NotFound:
        raise _gone() from None


def wording() -> str:
    """What people of the workspace in scope agree to. Raises Conflict (no_opt_in_wording) where nobody wrote it."""
    words = settings.get().opt_in_wording
    if not words:
        raise Conflict("no_opt_in_wording", "Write first what people agree to, in the settings of contacts.")
    return words


def _gone() -> NotFound:
    return NotFound("link_unknown", "This link is not one of ours, or was cut off.")
