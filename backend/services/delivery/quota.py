"""Quotas: how often an account has lately sent, counted over the whole instance from the attempts.

The attempts carry a keyed hash of the account, so that a ceiling holds in whatever workspace it is connected, and is
not freed by deleting history or by connecting the account again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from backend.core.database import UtcDateTime, db, system_scope
from backend.core.encrypted_columns import keyring

NOT_ASKED: Final = (
    "account_frozen",
    "account_limited",
    "account_needs_login",
    "catching_up",
    "deadline_passed",
    "not_connected",
    "sender_resting",
)
"""Codes of tries that ended before the provider was asked to send: they use nothing."""
_USES: Final = (
    text(
        """
        SELECT max(a.at) AS at FROM (
            SELECT id, delivery_id, at, phase, lead(phase) OVER (PARTITION BY delivery_id ORDER BY id) AS following,
                   lead(code) OVER (PARTITION BY delivery_id ORDER BY id) AS code
              FROM attempts
             WHERE quota_key = :key AND at > :since AND kind = ANY(:kinds) AND operation = 'send' AND part = 0
        ) a
         WHERE a.phase = 'started' AND (:refused OR coalesce(a.following, 'unknown') IN ('unknown', 'started'))
           AND NOT (coalesce(a.following, '') = 'retry' AND a.code = ANY(:not_asked))
         GROUP BY a.delivery_id
         ORDER BY 1
        """
    )
    .bindparams(
        bindparam("key", type_=LargeBinary),
        bindparam("since", type_=UtcDateTime),
        bindparam("kinds", type_=ARRAY(Text)),
        bindparam("not_asked", type_=ARRAY(Text)),
    )
    .columns(at=UtcDateTime)
)


def key_of(family: str, account_id: str) -> bytes:
    """The hash (32 bytes) by which an account's attempts are counted, given the provider's own id of the account."""
    return keyring().lookup("quota", f"{family}:{account_id}")


def uses(quota_key: bytes, kinds: Sequence[str], since: datetime, *, refused: bool = False) -> list[datetime]:
    """When the account last tried to send each message of these kinds after `since` (aware), oldest first.

    What was accepted, is under way or has an unknown outcome counts, once however often it was tried; what was
    certainly refused only with `refused`. A message of several parts counts once, and a try that asked the provider
    for nothing not at all.
    """
    values: dict[str, Any] = {"key": quota_key, "since": since, "kinds": list(kinds), "refused": refused}
    values["not_asked"] = list(NOT_ASKED)
    with system_scope("a ceiling of an account holds in every workspace"):
        return list(db.session.execute(_USES, values).scalars())


def count(quota_key: bytes, kinds: Sequence[str], since: datetime, *, refused: bool = False) -> int:
    """How many such messages there were; see `uses`."""
    return len(uses(quota_key, kinds, since, refused=refused))
