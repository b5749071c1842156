"""Link tokens: `user_<id>_<secret>`, at most 64 of `[A-Za-z0-9_-]` because Telegram drops other deep-link payloads.

Single-use, stored as hashes, good for 10 minutes of business time.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db
from backend.models import LinkToken, Sender, User
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

LIFE: Final = timedelta(minutes=10)
KEPT: Final = timedelta(hours=24)
"""How long an expired token is remembered, so that a late one is told apart from an invented one."""
_SECRET_BYTES: Final = 24
_FORM = re.compile(r"user_([0-9]{1,19})_([A-Za-z0-9_-]{22,40})")
_MAX_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh token; its text is shown this once."""

    token: str = field(repr=False)
    expires_at: datetime


def issue(by: Attribution, user: User, sender: Sender) -> Issued:
    """Makes a token with which this person can link a chat of this bot. Runs in the person's workspace scope."""
    now = clock.now()
    token = f"user_{user.id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    db.session.execute(
        delete(LinkToken)
        .where(LinkToken.user_id == user.id, LinkToken.expires_at < now - KEPT)
        .execution_options(synchronize_session=False)
    )
    db.session.add(
        LinkToken(
            workspace_id=user.workspace_id,
            user_id=user.id,
            sender_id=sender.id,
            token_hash=digest(token),
            created_at=now,
            expires_at=now + LIFE,
        )
    )
    audit.record(by, "telegram.link_requested", f"user:{user.id}", sender_id=sender.id)
    db.session.flush()
    return Issued(token, now + LIFE)


def looks_like_token(text: str) -> bool:
    """Whether the text has a token's form; says nothing about whether there is such a token."""
    return len(text) <= _MAX_CHARACTERS and _FORM.fullmatch(text) is not None
