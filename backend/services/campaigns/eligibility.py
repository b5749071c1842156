"""Who may be written to: each person of an audience with the reason against it, found by one statement.

The reasons are those of recipients that are skipped. Nothing is asked of a provider: what is not known yet is found out
as the campaign goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope
from backend.models import Account, Campaign

LOOKUP_IS_KNOWN_FOR: Final = timedelta(days=30)
REQUIREMENT_IS_KNOWN_FOR: Final = timedelta(days=1)
IN_CONVERSATION_FOR: Final = timedelta(days=7)
"""Who wrote to the workspace within this time is talking with somebody already."""

_PEOPLE: Final = """
WITH wanted AS (
    SELECT id, min(place) - 1 AS place FROM unnest(:ids) WITH ORDINALITY AS w(id, place) GROUP BY id
), people AS (
    SELECT w.place, c.id, c.workspace_id, c.erased_at,
           CASE WHEN :sender_id IS NULL THEN NULL ELSE coalesce(
             (SELECT l.identity_id FROM contact_points p
                JOIN account_lookups l ON l.contact_point_id = p.id AND l.sender_id = :sender_id
               WHERE p.contact_id = c.id AND p.changed_at IS NULL AND l.result = 'found' AND l.identity_id IS NOT NULL
               ORDER BY l.finished_at DESC LIMIT 1),
             (SELECT i.id FROM contact_points p
                JOIN identities i ON i.workspace_id = p.workspace_id AND i.external_hash = p.value_hash
               WHERE p.contact_id = c.id AND p.kind = 'telegram_user' ORDER BY p.is_primary DESC, p.id LIMIT 1)
           ) END AS identity_id,
           (SELECT p.id FROM contact_points p
             WHERE p.contact_id = c.id AND p.kind IN ('phone', 'username') AND p.changed_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM account_lookups l
                                WHERE l.contact_point_id = p.id AND l.sender_id = :sender_id AND l.state = 'done'
                                  AND l.result IN ('not_found', 'hidden_or_none') AND l.finished_at > :lookups_since)
             ORDER BY (p.kind = 'phone') DESC, p.is_primary DESC, p.id LIMIT 1) AS point_id,
           c.first_name, c.last_name, c.company, c.title, c.locale, c.region, c.source, c.fields
      FROM wanted w JOIN contacts c ON c.id = w.id AND c.workspace_id = :workspace_id
), judged AS (
    SELECT e.*, r.requirement, r.stars,
           row_number() OVER (PARTITION BY e.identity_id ORDER BY e.place) AS of_same_person,
           CASE
             WHEN e.erased_at IS NOT NULL THEN 'contact_erased'
             WHEN EXISTS (SELECT 1 FROM contact_points p
                            JOIN suppressions s ON s.workspace_id = p.workspace_id AND s.external_hash = p.value_hash
                           WHERE p.contact_id = e.id)
               OR EXISTS (SELECT 1 FROM identities i
                            JOIN suppressions s ON s.workspace_id = i.workspace_id AND s.external_hash = i.external_hash
                           WHERE i.id = e.identity_id) THEN 'suppressed'
             WHEN NOT :has_basis AND coalesce((
                    SELECT CASE WHEN s.expires_at <= :now THEN 'expired' ELSE s.state END
                      FROM consents s
                     WHERE s.workspace_id = e.workspace_id AND s.contact_id = e.id AND s.channel = 'telegram'
                       AND s.purpose = :purpose
                     ORDER BY s.obtained_at DESC, s.id DESC LIMIT 1), 'none') <> 'given' THEN 'no_consent'
             WHEN EXISTS (SELECT 1 FROM consents s
                           WHERE s.workspace_id = e.workspace_id AND s.contact_id = e.id AND s.channel = 'telegram'
                             AND s.purpose = :purpose AND s.state = 'withdrawn'
                             AND NOT EXISTS (SELECT 1 FROM consents n
                                              WHERE n.workspace_id = s.workspace_id AND n.contact_id = s.contact_id
                                                AND n.channel = s.channel AND n.purpose = s.purpose
                                                AND (n.obtained_at, n.id) > (s.obtained_at, s.id))) THEN 'opted_out'
             WHEN e.identity_id IS NULL AND e.point_id IS NULL AND EXISTS (
                    SELECT 1 FROM contact_points p WHERE p.contact_id = e.id AND p.changed_at IS NOT NULL)
               THEN 'identity_changed'
             WHEN e.identity_id IS NULL AND e.point_id IS NULL THEN 'no_telegram'
             WHEN r.requirement = 'premium' AND NOT :is_premium THEN 'needs_premium'
             WHEN r.requirement = 'stars' THEN 'costs_stars'
             WHEN EXISTS (SELECT 1 FROM conversations v
                           WHERE v.identity_id = e.identity_id AND v.workspace_id = e.workspace_id
                             AND v.last_inbound_at > :conversations_since) THEN 'in_conversation'
             WHEN EXISTS (SELECT 1 FROM campaign_recipients o JOIN campaigns g ON g.id = o.campaign_id
                           WHERE o.contact_id = e.id AND o.campaign_id <> :campaign_id
                             AND o.state IN ('waiting', 'sending', 'sent')
                             AND g.state IN ('running', 'paused')) THEN 'in_other_campaign'
             WHEN cardinality(m.missing) > 0 THEN 'missing_field'
           END AS reason,
           m.missing
      FROM people e
      LEFT JOIN account_peers r ON r.sender_id = :sender_id AND r.identity_id = e.identity_id
                               AND r.checked_at > :requirements_since
     CROSS JOIN LATERAL (SELECT array(
            SELECT f.name FROM unnest(:required) AS f(name)
             WHERE coalesce(btrim(CASE f.name
                     WHEN 'first_name' THEN e.first_name WHEN 'last_name' THEN e.last_name
                     WHEN 'company' THEN e.company WHEN 'title' THEN e.title WHEN 'locale' THEN e.locale
                     WHEN 'region' THEN e.region WHEN 'source' THEN e.source
                     WHEN 'email' THEN (SELECT 'x' FROM contact_points p
                                         WHERE p.contact_id = e.id AND p.kind = 'email' LIMIT 1)
                     WHEN 'phone' THEN (SELECT 'x' FROM contact_points p
                                         WHERE p.contact_id = e.id AND p.kind = 'phone' LIMIT 1)
                     WHEN 'telegram_username' THEN (SELECT 'x' FROM contact_points p
                                                     WHERE p.contact_id = e.id AND p.kind = 'username' LIMIT 1)
                     ELSE e.fields ->> f.name END), '') = '') AS missing) m
), verdicts AS (
    SELECT id AS contact_id, place, identity_id, point_id, stars, missing,
           CASE WHEN reason IS NULL AND identity_id IS NOT NULL AND of_same_person > 1 THEN 'same_person'
                ELSE reason END AS reason
      FROM judged
)
"""

_GIVEN: Final = (
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("required", type_=ARRAY(Text)),
    bindparam("sender_id", type_=BigInteger),
    bindparam("now", type_=UtcDateTime),
    bindparam("lookups_since", type_=UtcDateTime),
    bindparam("requirements_since", type_=UtcDateTime),
    bindparam("conversations_since", type_=UtcDateTime),
)


def _statement(what: str, **columns: Any) -> TextClause:
    return text(_PEOPLE + what).bindparams(*_GIVEN)


_ALL: Final = _statement(
    "SELECT contact_id, place, reason, identity_id, point_id, stars, missing FROM verdicts ORDER BY place"
)
_TAKE_DOWN: Final = _statement(
    """
    INSERT INTO campaign_recipients
           (workspace_id, campaign_id, contact_id, identity_id, contact_point_id, place, state, reason, step, due_at,
            ended_at, updated_at)
    SELECT :workspace_id, :campaign_id, contact_id, CASE WHEN reason IS NULL THEN identity_id END, point_id,
           :first_place + row_number() OVER (ORDER BY place) - 1,
           CASE WHEN reason IS NULL THEN 'waiting' ELSE 'skipped' END,
           coalesce(reason, 'queued'), 1, :now, CASE WHEN reason IS NOT NULL THEN :now END, :now
      FROM verdicts
    ON CONFLICT DO NOTHING
    """
)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what people are judged, besides what is known of them."""

    campaign_id: int
    workspace_id: int
    sender_id: int | None
    purpose: str
    has_basis: bool
    required: tuple[str, ...]
    is_premium: bool = False

    @classmethod
    def of(cls, campaign: Campaign, required: Sequence[str], account: Account | None) -> Terms:
        """The terms of a campaign whose texts need these names, with the account from which it is to speak."""
        return cls(
            campaign.id,
            campaign.workspace_id,
            campaign.sender_id if account is None else account.sender_id,
            campaign.purpose,
            campaign.lawful_basis is not None,
            tuple(required),
            account is not None and account.is_premium,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one person; `reason` is None for one who may be written to."""

    contact_id: int
    place: int
    reason: str | None
    identity_id: int | None
    point_id: int | None
    stars: int | None = None
    missing: tuple[str, ...] = ()
    """Names for which the person has no value."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people there are of each verdict; `reachable` are known at the provider, `unknown` not yet."""

    by_verdict: dict[str, int]
    stars: int
    missing_fields: dict[str, int]

    @property
    def writable(self) -> int:
        """How many may be written to, as far as it is known."""
        return self.by_verdict.get("reachable", 0) + self.by_verdict.get("unknown", 0)


def count(judged: Sequence[Verdict]) -> Counts:
    """How many people have which verdict."""
    by_verdict: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for verdict in judged:
        by_verdict[verdict.reason or ("unknown" if verdict.identity_id is None else "reachable")] += 1
        if verdict.reason == "missing_field":
            missing.update(verdict.missing)
    stars = sum(verdict.stars or 0 for verdict in judged if verdict.reason == "costs_stars")
    return Counts(dict(by_verdict), stars, dict(missing))


def verdicts(terms: Terms, ids: Sequence[int]) -> list[Verdict]:
    """The verdict on each of these contacts, in their order."""
    with system_scope("one statement over several tables, for the workspace that it names"):
        rows = db.session.execute(_ALL, _values(terms, ids))
        return [
            Verdict(
                row.contact_id,
                row.place,
                row.reason,
                row.identity_id,
                row.point_id,
                row.stars,
                tuple(row.missing or ()),
            )
            for row in rows
        ]


def take_down(terms: Terms, ids: Sequence[int], first_place: int = 0) -> int:
    """Stores these contacts as recipients, waiting or skipped with the reason; returns how many are new."""
    with system_scope("one statement over several tables, for the workspace that it names"):
        result: Any = db.session.execute(_TAKE_DOWN, _values(terms, ids) | {"first_place": first_place})
        return int(result.rowcount)


def _values(terms: Terms, ids: Sequence[int]) -> dict[str, Any]:
    now = clock.now()
    return {
        "ids": list(ids),
        "required": list(terms.required),
        "sender_id": terms.sender_id,
        "campaign_id": terms.campaign_id,
        "workspace_id": terms.workspace_id,
        "purpose": terms.purpose,
        "has_basis": terms.has_basis,
        "is_premium": terms.is_premium,
        "now": now,
        "lookups_since": now - LOOKUP_IS_KNOWN_FOR,
        "requirements_since": now - REQUIREMENT_IS_KNOWN_FOR,
        "conversations_since": now - IN_CONVERSATION_FOR,
    }
