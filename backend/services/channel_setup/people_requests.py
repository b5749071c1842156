"""What people ask by way of Meta: to have deleted what is kept of them, or that they took back their consent.

A request is signed by an application's secret, over its encoded text as it was sent. The person is named by an id that
holds for that application only, so it is looked for among the people of the senders whose secret signed, and among who
gave a token. The same request twice is answered the same; the id itself is not kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import BadRequest, NotFound, Unauthorized
from backend.models import Conversation, Identity, MetaRequest, Sender
from backend.services import senders
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM
from backend.services.channel_setup import states
from backend.services.channel_setup.platforms import APP_SECRET, PLATFORMS
from backend.services.contacts import records
from backend.services.conversations.hashing import identity_hash, scope_of

Kind = Literal["deletion", "deauthorization"]
ALGORITHM: Final = "HMAC-SHA256"
MAX_REQUEST: Final = 8_192
"""Characters of a signed request."""
_WHY: Final = "a person's request concerns every workspace that knows them"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signed request says."""

    user_id: str = field(repr=False)
    issued_at: datetime


def read(text: str, app_secrets: Sequence[str]) -> SignedRequest:
    """Reads a signed request. Raises BadRequest for one that has not the form, Unauthorized for one that none of the
    secrets signed."""
    signature_text, dot, payload_text = text.partition(".")
    if not dot or not text.isascii() or len(text) > MAX_REQUEST:
        raise _malformed()
    signature, payload_bytes = _decoded(signature_text), _decoded(payload_text)
    matches = False
    for secret in app_secrets:
        # Each is compared: how long it takes does not tell which of them it was.
        expected = hmac.new(secret.encode(), payload_text.encode(), hashlib.sha256).digest()
        matches |= bool(secret) and hmac.compare_digest(signature, expected)
    if not matches:
        raise Unauthorized("wrong_signature", "The request was not signed by an application of this instance.")
    try:
        payload = json.loads(payload_bytes)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(payload, dict) or str(payload.get("algorithm", "")).upper() != ALGORITHM:
        raise _malformed()
    user_id, issued = payload.get("user_id"), payload.get("issued_at", 0)
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not 0 < len(user_id) <= 100 or not isinstance(issued, int):
        raise _malformed()
    try:
        return SignedRequest(user_id, datetime.fromtimestamp(issued, UTC))
    except (ValueError, OverflowError, OSError):
        raise _malformed() from None


def secrets_for(integration_id: int | None = None) -> tuple[str, ...]:
    """The secrets by which a request may be signed that came to the instance's address, or to an integration's own.
    Raises NotFound for an integration that is not there."""
    if integration_id is None:
        settings = config.get()
        return tuple(filter(None, (settings.meta_app_secret, settings.instagram_app_secret)))
    sender = senders.by_id(integration_id)
    if sender is None or sender.channel not in PLATFORMS:
        raise NotFound("integration_not_found", "There is no such integration.")
    return tuple(filter(None, (senders.settings_of(sender).get(APP_SECRET),)))


def delete_data(request: SignedRequest, integration_id: int | None = None) -> MetaRequest:
    """Erases what is kept of a person, in the caller's transaction; the request, which says how it stands."""
    row, is_new = _row("deletion", request)
    if not is_new:
        return row
    erased = sum(_erase(sender, request.user_id) for sender in _asked(integration_id))
    with system_scope(_WHY):
        row.count, row.ended_at = erased, clock.now()
        row.state = "done" if erased else "nothing_found"
        audit.record(SYSTEM, "meta.deletion_requested", f"meta_request:{row.id}", erased=erased)
        db.session.flush()
    return row


def deauthorize(request: SignedRequest) -> MetaRequest:
    """Has the integrations checked whose token the person gave: it is no longer good."""
    row, is_new = _row("deauthorization", request)
    if not is_new:
        return row
    count = states.check_soon_of_owner(request.user_id)
    with system_scope(_WHY):
        row.count, row.ended_at, row.state = count, clock.now(), "done" if count else "nothing_found"
        audit.record(SYSTEM, "meta.deauthorized", f"meta_request:{row.id}", integrations=count)
        db.session.flush()
    return row


def by_code(code: str) -> MetaRequest:
    """The deletion that a person asks about. Raises NotFound."""
    with system_scope(_WHY):
        row = db.session.execute(
            select(MetaRequest).where(MetaRequest.code == code[:100], MetaRequest.kind == "deletion")
        ).scalar_one_or_none()
    if row is None:
        raise NotFound("request_not_found", "There is no such request.")
    return row


def status_address(row: MetaRequest) -> str:
    """Where a person sees how their request stands."""
    return f"{config.get().site_url}/privacy/deletion/{row.code}"


def _row(kind: Kind, request: SignedRequest) -> tuple[MetaRequest, bool]:
    """The request's row, and whether it is new. A second one that comes at once waits for the first."""
    user_hash, code = states.owner_hash(request.user_id), secrets.token_hex(12)
    values = {
        "kind": kind,
        "code": code,
        "user_hash": user_hash,
        "issued_at": request.issued_at,
        "state": "pending",
        "created_at": clock.now(),
    }
    with system_scope(_WHY):
        row_id = db.session.execute(
            insert(MetaRequest)
            .values(values)
            .on_conflict_do_nothing(index_elements=["kind", "user_hash", "issued_at"])
            .returning(MetaRequest.id)
        ).scalar_one_or_none()
        row = db.session.execute(
            select(MetaRequest).where(
                MetaRequest.kind == kind,
                MetaRequest.user_hash == user_hash,
                MetaRequest.issued_at == request.issued_at,
            )
        ).scalar_one()
    return row, row_id is not None


def _asked(integration_id: int | None) -> list[Sender]:
    """The senders among whose people the person is looked for: those to which the secret belongs."""
    query = select(Sender).where(Sender.channel.in_(PLATFORMS), Sender.workspace_id.is_not(None))
    if integration_id is None:
        query = query.where(Sender.source == "environment")
    else:
        query = query.where(Sender.id == integration_id)
    with system_scope(_WHY):
        return list(db.session.execute(query.order_by(Sender.id)).scalars())


def _erase(sender: Sender, user_id: str) -> int:
    """Erases a person of one sender; how many records that were."""
    assert sender.workspace_id is not None
    scope = scope_of(sender.channel, sender.id)
    hashed = identity_hash(sender.channel, user_id, scope)
    with workspace_scope(sender.workspace_id):
        identity = db.session.execute(select(Identity).where(Identity.external_hash == hashed)).scalar_one_or_none()
        if identity is None:
            return 0
        if identity.contact_id is not None:
            with suppress(NotFound):  # erased before
                records.erase(SYSTEM, identity.contact_id)
        count = db.session.execute(
            select(func.count()).select_from(Conversation).where(Conversation.identity_id == identity.id)
        ).scalar_one()
        db.session.execute(delete(Conversation).where(Conversation.identity_id == identity.id))
        db.session.execute(delete(Identity).where(Identity.id == identity.id))
        audit.record(SYSTEM, "person.erased", f"identity:{identity.id}", conversations=count)
        db.session.flush()
        return 1 + int(count)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None


def _malformed() -> BadRequest:
    return BadRequest("bad_signed_request", "This is no signed request of Meta's.")
