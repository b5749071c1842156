"""The unsubscribe link of a message: a page that anybody may open, and acts only when a person presses its button.

A link names the workspace and the contact, is signed, and works for a year, whatever became of the campaign.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select

from backend.core import clock, config, events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.encrypted_columns import keyring
from backend.core.errors import NotFound
from backend.models import Contact, ContactPoint, Workspace
from backend.services.campaigns.events import ContactOptedOut
from backend.services.contacts import suppressions

LIFE: Final = timedelta(days=365)
_PURPOSE: Final = "campaign.unsubscribe"
_FORM: Final = ">QQI"
_SIGNATURE: Final = 16
ACTOR: Final = "person"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: whose messages are no longer wanted, and by whom."""

    workspace_id: int
    contact_id: int


def url_for(workspace_id: int, contact_id: int) -> str:
    """The address for one contact."""
    body = struct.pack(_FORM, workspace_id, contact_id, int(clock.now().timestamp()) // 86_400)
    token = base64.urlsafe_b64encode(body + keyring().sign(_PURPOSE, body)[:_SIGNATURE]).decode().rstrip("=")
    return f"{config.get().site_url.rstrip('/')}/u/{token}"


def read(token: str) -> Link:
    """What a token says. Raises NotFound (link_unknown) for one that was not given out here, or is over."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        body, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        workspace_id, contact_id, day = struct.unpack(_FORM, body)
    except (binascii.Error, ValueError, struct.error):
        raise _unknown() from None
    given = datetime.fromtimestamp(day * 86_400, UTC)
    if keyring().sign(_PURPOSE, body)[:_SIGNATURE] != signature or given + LIFE < clock.now():
        raise _unknown()
    return Link(workspace_id, contact_id)


def sender_name(link: Link) -> str:
    """Who wrote: the workspace's name. Raises NotFound where the workspace is gone."""
    with system_scope("a page that anybody may open"):
        name = db.session.scalar(select(Workspace.name).where(Workspace.id == link.workspace_id))
    if name is None:
        raise _unknown()
    return str(name)


def is_done(link: Link) -> bool:
    """Whether everything of the contact is suppressed already."""
    with workspace_scope(link.workspace_id):
        hashes = set(db.session.scalars(_hashes(link)))
        return bool(hashes) and hashes <= suppressions.suppressed_among(hashes)


def unsubscribe(link: Link) -> None:
    """Suppresses everything of the contact and ends what waits for them; a repetition changes nothing."""
    with workspace_scope(link.workspace_id):
        contact = db.session.scalar(select(Contact).where(Contact.id == link.contact_id))
        if contact is None:
            raise _unknown()
        if contact.erased_at is None and db.session.scalars(_hashes(link)).first() is not None:
            suppressions.suppress_contact(ACTOR, contact.id, code="opted_out", source="person")
        events.publish(ContactOptedOut(link.workspace_id, link.contact_id))


def _hashes(link: Link) -> Select[Any]:
    return select(ContactPoint.value_hash).where(ContactPoint.contact_id == link.contact_id)


def _unknown() -> NotFound:
    return NotFound("link_unknown", "This link is not valid, or no longer.")
