"""The link by which a person opens the workspace's bot and agrees there to be written to, in the workspace's words.

Telegram passes on 64 characters at most, so such a link carries less than one of a page: the contact, its last day, and
a keyed hash of both.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.core.encrypted_columns import keyring
from backend.core.errors import Conflict, NotFound
from backend.models import Sender
from backend.services.contacts import consents, opt_in, points, records, suppressions, unsubscribe
from backend.services.contacts.identifiers import Identifier
from backend.services.contacts.opt_in import Question
from backend.services.contacts.person_links import LIFE

PREFIX: Final = "yes_"
BOT: Final = "telegram_bot"
_LAYOUT: Final = struct.Struct(">QQH")
_PROOF: Final = 14
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom a link is for."""

    workspace_id: int
    contact_id: int


def link_of_contact(contact_id: int) -> str | None:
    """The address that opens the workspace's bot for a contact; None where it has none. Raises NotFound, Conflict
    (no_opt_in_wording)."""
    contact = records.get(contact_id)
    opt_in.wording()
    bot = _bot(contact.workspace_id)
    if bot is None:
        return None
    return f"https://t.me/{bot.username}?start={payload_of(Invitation(contact.workspace_id, contact.id))}"


def payload_of(invitation: Invitation) -> str:
    """What the bot is started with: letters, digits, `-` and `_`, 47 characters."""
    last_day = int((clock.now() + LIFE).timestamp() // _DAY) + 1
    body = _LAYOUT.pack(invitation.workspace_id, invitation.contact_id, last_day)
    return PREFIX + base64.urlsafe_b64encode(body + _proof(body)).decode("ascii").rstrip("=")


def read(payload: str) -> Invitation | None:
    """Whom a bot was started for; None for what is no invitation, or is over."""
    written = payload.removeprefix(PREFIX)
    if written == payload:
        return None
    try:
        raw = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, proof = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    if len(raw) != _LAYOUT.size + _PROOF or not hmac.compare_digest(proof, _proof(body)):
        return None
    workspace_id, contact_id, last_day = _LAYOUT.unpack(body)
    is_over = datetime.fromtimestamp(last_day * _DAY, UTC) <= clock.now()
    return None if is_over else Invitation(workspace_id, contact_id)


def question_of(invitation: Invitation) -> Question | None:
    """What the person is asked; None where the contact is gone, or the workspace asks nothing any more."""
    try:
        with workspace_scope(invitation.workspace_id):
            contact = records.get(invitation.contact_id)
            return opt_in.ask(invitation.workspace_id, contact, suppressed=False)
    except (NotFound, Conflict):
        return None


def agree(invitation: Invitation, digest: str, telegram_id: str, *, night_ok: bool) -> bool:
    """Records that the person agreed to the wording whose digest begins so, keeps by which Telegram account they did,
    and lifts their suppressions. Again is harmless; False where the question is another one by now."""
    asked = question_of(invitation)
    if asked is None or not hmac.compare_digest(digest.encode(), asked.digest[: len(digest)].encode()):
        return False
    with workspace_scope(invitation.workspace_id):
        contact = records.get(invitation.contact_id, lock=True)
        identifier = Identifier("telegram_user", telegram_id)
        holder = points.find(identifier)
        if holder is None:
            points.add(unsubscribe.PERSON, contact, [identifier], source="bot_link")
        night = night_ok and asked.asks_night
        entry = consents.holds(contact.id, opt_in.CHANNEL, opt_in.PURPOSE)
        if entry is None or entry.wording != asked.wording or (night and not entry.night_ok):
            given = {"channel": opt_in.CHANNEL, "purpose": opt_in.PURPOSE, "source": "bot_link"}
            consents.record(unsubscribe.PERSON, contact, given | {"wording": asked.wording, "night_ok": night})
        suppressions.lift_of_contact(unsubscribe.PERSON, contact.id)
        suppressions.lift_by_person(unsubscribe.PERSON, identifier)
    return True


def started(workspace_id: int, telegram_id: str) -> None:
    """Lifts what was suppressed of a person who starts a bot of the workspace themselves."""
    identifier = Identifier("telegram_user", telegram_id)
    with workspace_scope(workspace_id):
        if suppressions.suppressed_among({identifier.hash()}):
            suppressions.lift_by_person(unsubscribe.PERSON, identifier)


def _bot(workspace_id: int) -> Sender | None:
    """The workspace's first bot that is on and has a name, so that a link can open it."""
    own = select(Sender).where(Sender.workspace_id == workspace_id, Sender.channel == BOT, Sender.is_active.is_(True))
    return db.session.scalar(own.where(Sender.username.is_not(None)).order_by(Sender.id).limit(1))


def _proof(body: bytes) -> bytes:
    return keyring().lookup("contact.bot_link", body.hex())[:_PROOF]
