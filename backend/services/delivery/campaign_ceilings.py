"""The ceilings of campaign messages from a person's own account, as rules of the gate: the last word before a claim.

They are about messages in the bulk lane of accounts alone; for everything else a rule costs a comparison. What counts
are the attempts under the account's quota key, in whatever workspace it spoke.
"""

from __future__ import annotations

from typing import Final

from backend.core import config
from backend.services.delivery.quota import NOT_ASKED

CHANNEL: Final = "telegram_user"
KIND: Final = "campaign"
SPACING_SECONDS: Final = 3600
PER_DAY: Final = 10
STRICT_PER_DAY: Final = 3
RAMP: Final = ((7, 3), (14, 5))
"""Until so many days after the account was first connected to the instance, so many messages in 24 hours."""


def relaxed_seconds() -> float | None:
    """The seconds between two messages that a test set, against a simulated provider only; None in production."""
    seconds, simulated = config.test_env("TEST_ACCOUNT_PACE"), config.test_env("TELEGRAM_MTPROTO_SERVER")
    return float(seconds) if seconds and simulated else None


RELAXED: Final = relaxed_seconds()
_SPACING: Final = SPACING_SECONDS if RELAXED is None else RELAXED
_UNASKED: Final = ", ".join(f"'{code}'" for code in NOT_ASKED)
_RAMP: Final = " ".join(
    f"WHEN f.first_connected_at > :now - interval '{days} days' THEN {limit}" for days, limit in RAMP
)
_LIMIT: Final = (
    f"least(CASE {_RAMP} ELSE {PER_DAY} END, CASE WHEN a.strict_until > :now THEN {STRICT_PER_DAY} ELSE {PER_DAY} END)"
    if RELAXED is None
    else "1000000"
)
_ABOUT: Final = f"c.channel = '{CHANNEL}' AND d.lane = 2 AND d.operation = 'send'"
_TRIES: Final = f"""
    FROM (SELECT t.delivery_id, t.at, n.phase AS following, n.code
            FROM attempts t
            LEFT JOIN LATERAL (SELECT x.phase, x.code FROM attempts x
                                WHERE x.delivery_id = t.delivery_id AND x.message_id = t.message_id AND x.id > t.id
                                ORDER BY x.id LIMIT 1) n ON true
           WHERE t.quota_key = a.quota_key AND t.at > :now - interval '24 hours' AND t.kind = '{KIND}'
             AND t.operation = 'send' AND t.part = 0 AND t.phase = 'started') u
"""  # noqa: S608 - constants of this module

ACCOUNT: Final = f"""
    CASE WHEN {_ABOUT} THEN (
        SELECT CASE WHEN a.deleted_at IS NOT NULL THEN 'account_removed'
                    WHEN a.state = 'needs_login' THEN 'account_needs_login'
                    WHEN a.state = 'frozen' THEN 'account_frozen'
                    WHEN a.state = 'limited' THEN 'account_limited'
                    WHEN a.campaigns_pause_reason IS NOT NULL AND coalesce(a.campaigns_paused_until > :now, true)
                         THEN 'account_limited'
                    WHEN a.caught_up_at IS NULL THEN 'catching_up' END
          FROM accounts a WHERE a.sender_id = d.sender_id) END
"""  # noqa: S608 - constants of this module
"""Why an account speaks in no campaign now, though its replies go on."""
PACE: Final = f"""
    CASE WHEN {_ABOUT} THEN (
        SELECT CASE
            WHEN {_LIMIT} <= (SELECT count(DISTINCT u.delivery_id) {_TRIES}
                   WHERE u.delivery_id <> d.id AND coalesce(u.following, 'unknown') IN ('unknown', 'started'))
                 THEN CASE WHEN {_LIMIT} < {PER_DAY} THEN 'ramp' ELSE 'day_limit' END
            WHEN EXISTS (SELECT 1 {_TRIES}
                   WHERE u.at > :now - interval '{_SPACING} seconds'
                     AND (u.delivery_id <> d.id OR coalesce(u.following, 'unknown') NOT IN ('unknown', 'started'))
                     AND NOT (coalesce(u.following, '') = 'retry' AND u.code IN ({_UNASKED}))) THEN 'hour_limit' END
          FROM accounts a LEFT JOIN account_first_connections f ON f.quota_key = a.quota_key
         WHERE a.sender_id = d.sender_id) END
"""  # noqa: S608 - constants of this module
"""What an account has used up. A message whose outcome is not known goes again under its own place."""
