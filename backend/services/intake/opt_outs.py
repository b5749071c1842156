"""People who say, by their provider, that they no longer want messages, or want them again.

Without a topic it holds for everything: the person is suppressed under all that they are known by. With one (marketing)
only the consent is taken back; answers to what they write go on.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, select

from backend.channels.inbound import OptOutChanged
from backend.core import events
from backend.core.database import db, workspace_scope
from backend.models import Contact, Identity, Sender, Suppression
from backend.services import conversations, live
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import consents, points, suppressions
from backend.services.contacts.events import ContactOptedOut
from backend.services.conversations import identities

PERSON: Final = Attribution("person", "person")
"""Who acts: the person at the provider."""


def apply(sender: Sender, event: OptOutChanged) -> None:
    """Does what the person asks for, in the caller's transaction and in the system scope; nothing for somebody who
    never wrote."""
    for conversation in conversations.of_chat(sender, event.chat):
        if conversation.identity_id is None:
            continue
        with workspace_scope(conversation.workspace_id):
            identity = db.session.get(Identity, conversation.identity_id)
            if identity is None:
                continue
            if event.topic:
                _marketing(identity, sender.channel, opted_out=event.opted_out)
            elif event.opted_out:
                suppress(identity)
            else:
                _lift(identity)
            live.note(conversation.workspace_id, "conversations", conversation_id=conversation.id)


def suppress(identity: Identity) -> None:
    """Suppresses a person under all their ids and all points of their contact, in the workspace's scope."""
    kind = suppressions.kind_of(identity.channel)
    suppressions.add([(kind, value) for value in identities.hashes_of(identity.id)], PERSON, "opted_out", "person")
    if identity.contact_id is not None:
        if points.of_contacts([identity.contact_id]):
            suppressions.suppress_contact(PERSON, identity.contact_id, code="opted_out", source="person")
        events.publish(ContactOptedOut(identity.workspace_id, identity.contact_id))


def _lift(identity: Identity) -> None:
    hashes = identities.hashes_of(identity.id)
    db.session.execute(
        delete(Suppression)
        .where(Suppression.external_hash.in_(hashes), Suppression.code == "opted_out")
        .execution_options(synchronize_session=False)
    )
    if identity.contact_id is not None:
        suppressions.lift_of_contact(PERSON, identity.contact_id)
    audit.record(PERSON, "identity.opted_in", f"identity:{identity.id}")


def _marketing(identity: Identity, channel: str, *, opted_out: bool) -> None:
    contact = None
    if identity.contact_id is not None:
        contact = db.session.scalar(select(Contact).where(Contact.id == identity.contact_id))
    audit.record(
        PERSON, "identity.marketing_stopped" if opted_out else "identity.marketing_resumed", f"identity:{identity.id}"
    )
    if contact is None or contact.erased_at is not None or not opted_out:
        # That somebody wants marketing again is no consent by itself.
        return
    for entry in consents.current([contact.id]).get(contact.id, []):
        if entry.purpose == "marketing" and entry.state == "given":
            withdrawal = {"channel": entry.channel, "purpose": "marketing", "state": "withdrawn", "source": "chat"}
            consents.record(PERSON, contact, withdrawal | {"source_detail": channel, "basis": entry.basis})
    events.publish(ContactOptedOut(identity.workspace_id, contact.id))
