"""The link by which a person has no more messages sent to them, without a sign-in and for a year."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import NotFound
from backend.models import Contact, ContactPoint, Workspace
from backend.services.auth.attribution import Attribution
from backend.services.contacts import consents, person_links, suppressions
from backend.services.contacts.events import ContactOptedOut
from backend.services.contacts.person_links import PersonLink

PATH: Final = "u"
PERSON: Final = Attribution("person", "person")
"""Who acts: somebody who has the link, and no account."""
_PURPOSE: Final = "unsubscribe"


def link_for(point: ContactPoint) -> str:
    """The address of the page for the person who has this point; the point is stored."""
    return person_links.address_of(_PURPOSE, PATH, point)


def read(token: str) -> PersonLink:
    """Whom a link speaks for. Raises NotFound: link_unknown, link_expired."""
    return person_links.read(_PURPOSE, token)


def workspace_name(link: PersonLink) -> str:
    """Who writes to the person. Raises NotFound where the workspace is gone."""
    return name_of_workspace(link.workspace_id)


def name_of_workspace(workspace_id: int) -> str:
    """What a workspace is called. Raises NotFound where it is gone."""
    with system_scope("a link names its workspace"):
        name: str | None = db.session.scalar(select(Workspace.name).where(Workspace.id == workspace_id))
    if name is None:
        raise NotFound("link_unknown", "This link is not one of ours, or was cut off.")
    return name


def is_done(link: PersonLink) -> bool:
    """Whether nothing is written to the person any more."""
    with workspace_scope(link.workspace_id):
        return bool(suppressions.suppressed_among({link.value_hash}))


def unsubscribe(link: PersonLink) -> None:
    """Suppresses the person under everything they have, and takes their marketing consents back. Again is harmless.

    Of a contact that was erased, or whose number was removed, the identifier that the link carries is suppressed.
    """
    with workspace_scope(link.workspace_id):
        contact = db.session.get(Contact, link.contact_id, with_for_update=True)
        holders = suppressions.holders_of({link.value_hash})
        hashes = {(link.kind, link.value_hash)}
        if contact is not None and contact.erased_at is None:
            own = select(ContactPoint.kind, ContactPoint.value_hash).where(ContactPoint.contact_id == contact.id)
            hashes |= {(kind, bytes(value_hash)) for kind, value_hash in db.session.execute(own)}
        suppressions.add(hashes, PERSON, "opted_out", "person")
        suppressions.inherit(holders, PERSON)
        for contact_id in sorted(holders | ({contact.id} if contact is not None else set())):
            _withdraw(contact_id)
            events.publish(ContactOptedOut(link.workspace_id, contact_id))


def _withdraw(contact_id: int) -> None:
    """Adds a counter-entry for each marketing consent that is in force."""
    contact = db.session.get(Contact, contact_id)
    if contact is None or contact.erased_at is not None:
        return
    for entry in consents.current([contact_id]).get(contact_id, []):
        if entry.purpose == "marketing" and entry.state == "given":
            withdrawal = {"channel": entry.channel, "purpose": entry.purpose, "state": "withdrawn", "source": "form"}
            consents.record(PERSON, contact, withdrawal | {"source_detail": "unsubscribe page", "basis": entry.basis})
