"""Whether a send with an unknown outcome may be said again: on channels that refuse our number a second time it may,
for as long as the provider remembers the number. Before that its chat is looked through."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from sqlalchemy import text

from backend.channels import registry
from backend.core.database import UtcDateTime, db

WITHIN: Final = timedelta(minutes=60)
"""After the first try whose outcome nobody knows."""


REPORT_WAIT: Final = 30.0
"""Seconds for which a send with an unknown outcome rests where the provider reports it under our own reference."""


class Repetition(Enum):
    """By the message's kind, as everywhere else; allowed under the same number; or over."""

    BY_KIND = "by_kind"
    ALLOWED = "allowed"
    OVER = "over"


def repetition(client_ref: int | None, tried_at: datetime | None, now: datetime) -> Repetition:
    """Whether a send may be repeated. `tried_at` is when its first try with an unknown outcome began."""
    if client_ref is None:
        return Repetition.BY_KIND
    return Repetition.ALLOWED if tried_at is None or now - tried_at < WITHIN else Repetition.OVER


def report_wait(channel: str) -> float:
    """Seconds before a send of this channel with an unknown outcome is repeated: its provider's report may come, and
    say that it was accepted (`receipts.matching.settle_unknown`)."""
    capabilities = registry.spec(channel).capabilities
    return REPORT_WAIT if capabilities.client_ref and not capabilities.idempotent_sends else 0.0


FIRST_UNKNOWN: Final = """
    (SELECT min(u.at) FROM (SELECT a.at, a.phase, lead(a.phase) OVER (ORDER BY a.id) AS following
                              FROM attempts a WHERE a.message_id = d.message_id AND a.delivery_id = d.id) u
      WHERE u.phase = 'started' AND u.following = 'unknown')
"""
"""An SQL expression over a delivery `d`: when its first try with an unknown outcome began."""

_TRIED: Final = text(f"SELECT {FIRST_UNKNOWN} AS at FROM deliveries d WHERE d.id = :id").columns(  # noqa: S608
    at=UtcDateTime
)


def first_unknown(delivery_id: int) -> datetime | None:
    """When the delivery's first try with an unknown outcome began, in the system scope."""
    moment: datetime | None = db.session.execute(_TRIED, {"id": delivery_id}).scalar()
    return moment


def idempotent_channels() -> list[str]:
    """The names of the channels whose sends carry our number."""
    return [spec.name for spec in registry.specs() if spec.capabilities.idempotent_sends]
