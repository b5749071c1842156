"""Who may be written to: each person of an audience with the reason against it, found by one statement.

The reasons are those of recipients that are skipped. Nothing is asked of a provider: what is not known yet is found out
as the campaign goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

MANY: Final = 2000
"""From so many people on they are judged by whole tables."""
_WHY: Final = "one statement over several tables, for the workspace that it names"

_PEOPLE: Final = """
WITH wanted AS MATERIALIZED (
    SELECT id, place - 1 AS place FROM unnest(:ids) WITH ORDINALITY AS w(id, place)
), points AS (
    SELECT w.id AS contact_id, p.id, p.kind, p.is_primary, p.value_hash, p.changed_at IS NOT NULL AS is_changed,
           CASE WHEN p.kind = 'telegram_user' THEN p.value_hash END AS user_hash
      FROM wanted w JOIN contact_points p ON p.contact_id = w.id AND p.workspace_id = :workspace_id
), known AS MATERIALIZED (
    SELECT p.contact_id,
           coalesce(
             (array_agg(l.identity_id ORDER BY l.finished_at DESC)
              FILTER (WHERE NOT p.is_changed AND l.result = 'found' AND l.identity_id IS NOT NULL))[1],
             (array_agg(i.id ORDER BY p.is_primary DESC, p.id) FILTER (WHERE i.id IS NOT NULL AND :has_sender))[1]
           ) AS identity_id,
           (array_agg(p.id ORDER BY p.kind = 'phone' DESC, p.is_primary DESC, p.id)
            FILTER (WHERE p.kind IN ('phone', 'username') AND NOT p.is_changed
                      AND (l.state = 'done' AND l.result IN ('not_found', 'hidden_or_none')
                           AND l.finished_at > :lookups_since) IS NOT TRUE))[1] AS point_id,
           bool_or(p.is_changed) AS is_changed,
           bool_or(s.id IS NOT NULL) AS is_suppressed,
           bool_or(p.kind = 'email') AS has_email,
           bool_or(p.kind = 'phone') AS has_phone,
           bool_or(p.kind = 'username') AS has_username
      FROM points p
      LEFT JOIN account_lookups l ON l.contact_point_id = p.id AND l.sender_id = :sender_id
      LEFT JOIN identities i ON i.workspace_id = :workspace_id AND i.external_hash = p.user_hash
      LEFT JOIN suppressions s ON s.workspace_id = :workspace_id AND s.external_hash = p.value_hash
     GROUP BY p.contact_id
), consented AS MATERIALIZED (
    SELECT DISTINCT ON (s.contact_id) s.contact_id, s.state,
           s.state = 'given' AND (s.expires_at IS NULL OR s.expires_at > :now) AS is_in_force
      FROM consents s
     WHERE s.workspace_id = :workspace_id AND s.contact_id IN (SELECT id FROM wanted) AND s.channel = 'telegram'
       AND s.purpose = :purpose
     ORDER BY s.contact_id, s.obtained_at DESC, s.id DESC
), judged AS MATERIALIZED (
    SELECT w.place, e.id, k.identity_id, k.point_id, r.stars, m.missing,
           row_number() OVER (PARTITION BY k.identity_id ORDER BY w.place) AS of_same_person,
           CASE
             WHEN e.erased_at IS NOT NULL THEN 'contact_erased'
             WHEN k.is_suppressed
               OR EXISTS (SELECT 1 FROM identities i
                            JOIN suppressions s ON s.workspace_id = i.workspace_id AND s.external_hash = i.external_hash
                           WHERE i.id = k.identity_id) THEN 'suppressed'
             WHEN NOT :has_basis AND c.is_in_force IS NOT TRUE THEN 'no_consent'
             WHEN c.state = 'withdrawn' THEN 'opted_out'
             WHEN k.identity_id IS NULL AND k.point_id IS NULL AND k.is_changed THEN 'identity_changed'
             WHEN k.identity_id IS NULL AND k.point_id IS NULL THEN 'no_telegram'
             WHEN r.requirement = 'premium' AND NOT :is_premium THEN 'needs_premium'
             WHEN r.requirement = 'stars' THEN 'costs_stars'
             WHEN EXISTS (SELECT 1 FROM conversations v
                           WHERE v.identity_id = k.identity_id AND v.workspace_id = :workspace_id
                             AND v.last_inbound_at > :conversations_since) THEN 'in_conversation'
             WHEN EXISTS (SELECT 1 FROM campaign_recipients o JOIN campaigns g ON g.id = o.campaign_id
                           WHERE o.contact_id = e.id AND o.campaign_id <> :campaign_id
                             AND o.state IN ('waiting', 'sending', 'sent')
                             AND g.state IN ('running', 'paused')
                             AND (o.state <> 'waiting' OR own.id IS NULL OR o.id < own.id)) THEN 'in_other_campaign'
             WHEN cardinality(m.missing) > 0 THEN 'missing_field'
           END AS reason
      FROM wanted w
      JOIN contacts e ON e.id = w.id AND e.workspace_id = :workspace_id
      LEFT JOIN known k ON k.contact_id = e.id
      LEFT JOIN campaign_recipients own ON own.campaign_id = :campaign_id AND own.contact_id = e.id
      LEFT JOIN consented c ON c.contact_id = e.id
      LEFT JOIN account_peers r ON r.sender_id = :sender_id AND r.identity_id = k.identity_id
                               AND r.checked_at > :requirements_since
     CROSS JOIN LATERAL (SELECT array(
            SELECT f.name FROM unnest(:required) AS f(name)
             WHERE coalesce(btrim(CASE f.name
                     WHEN 'first_name' THEN e.first_name WHEN 'last_name' THEN e.last_name
                     WHEN 'company' THEN e.company WHEN 'title' THEN e.title WHEN 'locale' THEN e.locale
                     WHEN 'region' THEN e.region WHEN 'source' THEN e.source
                     WHEN 'email' THEN CASE WHEN k.has_email THEN 'x' END
                     WHEN 'phone' THEN CASE WHEN k.has_phone THEN 'x' END
                     WHEN 'telegram_username' THEN CASE WHEN k.has_username THEN 'x' END
                     ELSE e.fields ->> f.name END), '') = '') AS missing OFFSET 0) m
), verdicts AS (
    SELECT id AS contact_id, place, identity_id, point_id, stars, missing,
           CASE WHEN reason IS NULL AND identity_id IS NOT NULL AND of_same_person > 1 THEN 'same_person'
                ELSE reason END AS reason
      FROM judged
)
"""
"""Of two campaigns in which a person waits, the one that took them down first has them.

Everything about the people is found for all of them together. What is materialized is read several times by what
follows, and would be found out again each time."""

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
    with system_scope(_WHY), _planned_for(len(ids)):
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
    with system_scope(_WHY), _planned_for(len(ids)):
        result: Any = db.session.execute(_TAKE_DOWN, _values(terms, ids) | {"first_place": first_place})
        return int(result.rowcount)


@contextmanager
def _planned_for(many: int) -> Iterator[None]:
    """Has PostgreSQL read whole tables of the workspace for many people, whatever it believes of their size: of tables
    that were just filled it knows nothing, and would go through them once for each person."""
    if many < MANY:
        yield
        return
    db.session.execute(text("SET LOCAL enable_nestloop = off"))
    db.session.execute(text("SET LOCAL work_mem = '64MB'"))
    yield
    db.session.execute(text("SET LOCAL enable_nestloop = on"))
    db.session.execute(text("SET LOCAL work_mem TO DEFAULT"))


def _values(terms: Terms, ids: Sequence[int]) -> dict[str, Any]:
    now = clock.now()
    return {
        "ids": list(dict.fromkeys(ids)),
        "required": list(terms.required),
        "sender_id": terms.sender_id,
        "has_sender": terms.sender_id is not None,
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
