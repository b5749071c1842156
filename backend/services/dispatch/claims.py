"""Claiming: one statement takes what may start now for all of a process's senders, and is the last gate.

It requires the lease's epoch, keeps one operation a chat in flight and the parts of a message in order, and takes
nothing that a rule of the gate (`services.delivery.gate`) forbids. What it returns is committed as `sending`, with its
attempt, before a byte is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from backend.core.leases import FENCING
from backend.services.delivery import gate
from backend.services.dispatch.claim_statement import FLOORS, big, claim_statement
from backend.services.dispatch.claim_watermarks import BEGINNING, PRIORITIES, QueuePosition
from backend.services.dispatch.repetition import FIRST_UNKNOWN, idempotent_channels
from backend.services.dispatch.workspace_turns import WorkspaceTurn


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """How much to claim for one sender: `budget` operations, `bulk` of them from the bulk lane and `notices` from that
    of notifications before any from a higher one.

    `floors` are the positions in its lanes below which nothing is claimed. `quota_key` is noted with the attempts. The
    lanes in which there are `turns` are claimed for these workspaces, the others in order of time; `backlog_first`
    says which of a workspace's two kinds has the first of its places.
    """

    sender_id: int
    epoch: int
    budget: int
    bulk: int = 0
    notices: int = 0
    floors: tuple[QueuePosition, ...] = (BEGINNING,) * len(PRIORITIES)
    quota_key: bytes | None = None
    turns: tuple[WorkspaceTurn, ...] = ()
    backlog_first: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed delivery with everything its transmission needs."""

    id: int
    workspace_id: int
    sender_id: int
    conversation_id: int | None
    message_id: int | None
    part: int
    operation: str
    chat_key: int | None
    lane: int
    attempts: int
    epoch: int
    at_most_once: bool
    payload: Mapping[str, Any] | None
    body: Mapping[str, Any] | None
    version: int
    kind: str | None
    reply_to: str | None
    chat_id_encrypted: bytes | None
    chat_kind: str | None
    thread_id: str | None
    external_id: str | None
    """The provider's id of the part, for edits and deletions."""
    candidates: int = 0
    """How many rows of its sender the claim had to choose from; fewer than its budget where there were no more."""
    quota_key: bytes | None = None
    """The hash of the account whose ceiling the attempt counts for."""
    unreachable_code: str | None = None
    """Why the last message did not get to its chat."""
    client_ref: int | None = None
    """Our number of a send, on channels that refuse it a second time."""
    newest_id: str | None = None
    """Of a send with a number: the newest message of its chat that is known here, by the provider's id."""
    tried_at: datetime | None = None
    """When its first try with an unknown outcome began."""


# A statement of its own, with a snapshot taken after the rows are locked: an edit that committed before our lock is
# in the body, one that comes later finds the row `sending` and opens its own delivery.
_RENDER = text(
    f"""
    SELECT d.id, m.body, coalesce(m.version, 1) AS version, m.kind, m.reply_to, c.chat_id_encrypted,
           c.kind AS chat_kind, c.thread_id, c.unreachable_code, p.external_id, c.id AS chat_conversation_id,
           CASE WHEN d.client_ref IS NOT NULL THEN (
                SELECT k.external_id FROM message_parts k
                 WHERE k.sender_id = d.sender_id AND k.chat_key = d.chat_key AND k.external_id ~ '^[0-9]+$'
                 ORDER BY k.external_id::bigint DESC LIMIT 1) END AS newest_id,
           CASE WHEN d.client_ref IS NOT NULL AND d.attempts > 1 THEN {FIRST_UNKNOWN} END AS tried_at
      FROM unnest(:ids) AS w(id)
      JOIN deliveries d ON d.id = w.id
      LEFT JOIN messages m ON m.id = d.message_id
      LEFT JOIN conversations c ON c.id = d.conversation_id
      LEFT JOIN message_parts p ON p.message_id = d.message_id AND p.part = d.part
    """  # noqa: S608 - built of a constant
).bindparams(big("ids"))


def claim(
    connection: Connection, requests: Sequence[ClaimRequest], throttled: Sequence[int], now: datetime
) -> list[Claimed]:
    """Takes what may start now, in the caller's transaction, which must commit before anything is transmitted.

    The connection is one of `core.database.by_index`.
    """
    if not requests:
        return []
    rows = [row for group in _lock_quotas(connection, requests) for row in _take(connection, group, throttled, now)]
    if not rows:
        return []
    rendered = {row.id: row for row in connection.execute(_RENDER, {"ids": [row.id for row in rows]})}
    return [_claimed(row, rendered[row.id]) for row in rows]


_LOCK_QUOTA = text("SELECT pg_advisory_xact_lock(hashtextextended(encode(:key, 'hex'), 26))").bindparams(
    bindparam("key", type_=LargeBinary)
)


def _lock_quotas(connection: Connection, requests: Sequence[ClaimRequest]) -> list[list[ClaimRequest]]:
    """The requests in the groups that are claimed together: each with a quota by itself, once all others that count for
    the same account have committed, so that its ceiling holds in whatever process and workspace it speaks."""
    for key in sorted({request.quota_key for request in requests if request.quota_key is not None}):
        connection.execute(_LOCK_QUOTA, {"key": key})
    free = [request for request in requests if request.quota_key is None]
    return [*([free] if free else []), *([request] for request in requests if request.quota_key is not None)]


def _take(
    connection: Connection, requests: Sequence[ClaimRequest], throttled: Sequence[int], now: datetime
) -> Sequence[Any]:
    in_turn = any(request.turns for request in requests)
    statement = claim_statement(gate.rules(), in_turn=in_turn)
    return connection.execute(statement, values_of(requests, throttled, now)).all()


def values_of(requests: Sequence[ClaimRequest], throttled: Sequence[int], now: datetime) -> dict[str, Any]:
    """The parameters of the claim's statement."""
    return {
        "senders": [request.sender_id for request in requests],
        "epochs": [request.epoch for request in requests],
        "budgets": [request.budget for request in requests],
        "bulks": [request.bulk for request in requests],
        "notices": [request.notices for request in requests],
        "quota_keys": [request.quota_key for request in requests],
        "throttled": list(throttled),
        "now": now,
        "fencing": FENCING,
        "idempotent": idempotent_channels(),
        **_floor_values({request.sender_id: request.floors for request in requests}, requests),
        **(_turn_values(requests) if any(request.turns for request in requests) else {}),
    }


def _turn_values(requests: Sequence[ClaimRequest]) -> dict[str, Any]:
    each = [(request, turn, request.floors[turn.lane]) for request in requests for turn in request.turns]
    return {
        "turn_senders": [request.sender_id for request, _, _ in each],
        "turn_lanes": [turn.lane for _, turn, _ in each],
        "turn_workspaces": [turn.workspace_id for _, turn, _ in each],
        "turn_places": [turn.place for _, turn, _ in each],
        "turn_mosts": [turn.most for _, turn, _ in each],
        "turn_dues": [floor[0] for _, _, floor in each],
        "turn_ids": [floor[1] for _, _, floor in each],
        "backlog_first": requests[0].backlog_first,
    }


def _floor_values(
    floors: Mapping[int, Sequence[QueuePosition]], requests: Sequence[ClaimRequest] = ()
) -> dict[str, list[Any]]:
    """The positions from which lanes are read in order of time: those in which nobody has a turn."""
    by_turn = {(request.sender_id, turn.lane) for request in requests for turn in request.turns}
    each = [
        (sender_id, lane, *place)
        for sender_id, places in floors.items()
        for lane, place in enumerate(places)
        if (sender_id, lane) not in by_turn
    ]
    return {
        "floor_senders": [entry[0] for entry in each],
        "floor_lanes": [entry[1] for entry in each],
        "floor_dues": [entry[2] for entry in each],
        "floor_ids": [entry[3] for entry in each],
    }


def _claimed(row: Any, rendered: Any) -> Claimed:
    return Claimed(
        **row._mapping,
        body=rendered.body,
        version=rendered.version,
        kind=rendered.kind,
        reply_to=rendered.reply_to,
        chat_id_encrypted=rendered.chat_id_encrypted,
        chat_kind=rendered.chat_kind,
        thread_id=rendered.thread_id,
        unreachable_code=rendered.unreachable_code,
        external_id=rendered.external_id,
        newest_id=rendered.newest_id,
        tried_at=rendered.tried_at,
    )


_OLDEST = text(
    """
    SELECT f.sender_id, f.lane, n.due_at, n.id
      FROM unnest(:floor_senders, :floor_lanes, :floor_dues, :floor_ids) AS f(sender_id, lane, due_at, id)
     CROSS JOIN LATERAL (SELECT d.due_at, d.id FROM deliveries d
                          WHERE d.sender_id = f.sender_id AND d.lane = f.lane AND d.state = 'due'
                            AND (d.due_at, d.id) >= (f.due_at, f.id)
                          ORDER BY d.due_at, d.id LIMIT 1) n
    """
).bindparams(*FLOORS)


def oldest(
    connection: Connection, floors: Mapping[int, Sequence[QueuePosition]]
) -> list[tuple[int, int, QueuePosition]]:
    """The oldest row that is due, now or later, in each lane that has one (sender, lane, place), from `floors` on."""
    rows = connection.execute(_OLDEST, _floor_values(floors))
    return [(row.sender_id, row.lane, (row.due_at, row.id)) for row in rows]


# From workspace to workspace by the index, however many rows each has; then whether any of its rows is due.
_WORKSPACES = text(
    """
    WITH RECURSIVE w AS (
        SELECT s.sender_id, l.lane, (SELECT d.workspace_id FROM deliveries d
                                      WHERE d.sender_id = s.sender_id AND d.lane = l.lane AND d.state = 'due'
                                      ORDER BY d.workspace_id LIMIT 1) AS workspace_id
          FROM unnest(:senders) AS s(sender_id) CROSS JOIN unnest(:lanes) AS l(lane)
         UNION ALL
        SELECT w.sender_id, w.lane, (SELECT d.workspace_id FROM deliveries d
                                      WHERE d.sender_id = w.sender_id AND d.lane = w.lane AND d.state = 'due'
                                        AND d.workspace_id > w.workspace_id
                                      ORDER BY d.workspace_id LIMIT 1)
          FROM w WHERE w.workspace_id IS NOT NULL
    )
    SELECT w.sender_id, w.lane, w.workspace_id
      FROM w
     WHERE w.workspace_id IS NOT NULL AND EXISTS (
           SELECT 1 FROM (VALUES (false), (true)) AS b(in_backlog)
            CROSS JOIN LATERAL (SELECT 1 FROM deliveries d
                                 WHERE d.sender_id = w.sender_id AND d.lane = w.lane AND d.state = 'due'
                                   AND d.workspace_id = w.workspace_id AND d.in_backlog = b.in_backlog
                                   AND d.due_at <= :now LIMIT 1) d)
    """
).bindparams(big("senders"), big("lanes"))


def workspaces_with_due(connection: Connection, sender_ids: Sequence[int], now: datetime) -> list[tuple[int, int, int]]:
    """The workspaces with something due, by sender and lane: (sender, lane, workspace)."""
    rows = connection.execute(_WORKSPACES, {"senders": list(sender_ids), "lanes": list(PRIORITIES), "now": now})
    return [(row.sender_id, row.lane, row.workspace_id) for row in rows]


_UNSERVED = text(
    """
    SELECT s.id
      FROM senders s
      LEFT JOIN sender_leases l ON l.sender_id = s.id
     WHERE s.is_active AND s.id <> ALL(:held) AND s.channel = ANY(:channels)
       AND (l.until IS NULL OR l.until < clock_timestamp())
       AND (EXISTS (SELECT 1 FROM deliveries d WHERE d.sender_id = s.id AND d.state = 'due' AND d.due_at <= :now)
            OR EXISTS (SELECT 1 FROM deliveries d WHERE d.sender_id = s.id AND d.state = 'sending'))
     ORDER BY s.id LIMIT :most
    """
).bindparams(big("held"), bindparam("channels", type_=ARRAY(Text)))


def unserved_senders(
    connection: Connection, held: Sequence[int], channels: Sequence[str], now: datetime, *, most: int = 50
) -> list[int]:
    """The senders with work that nobody serves: due rows, or rows a dead process left `sending`.

    `held` are passed over; only `channels` that this process knows are considered.
    """
    values = {"held": list(held), "channels": list(channels), "now": now, "most": most}
    return list(connection.execute(_UNSERVED, values).scalars())


_RESIDENT = text(
    """
    SELECT s.id
      FROM senders s
      LEFT JOIN sender_leases l ON l.sender_id = s.id
     WHERE s.is_active AND s.deleted_at IS NULL AND s.credentials_encrypted IS NOT NULL AND s.id <> ALL(:held)
       AND s.channel = ANY(:channels) AND (l.until IS NULL OR l.until < clock_timestamp())
     ORDER BY s.id LIMIT :most
    """
).bindparams(big("held"), bindparam("channels", type_=ARRAY(Text)))


def unserved_residents(
    connection: Connection, held: Sequence[int], channels: Sequence[str], now: datetime, *, most: int = 50
) -> list[int]:
    """The active senders of these channels that nobody serves, with work or without."""
    values = {"held": list(held), "channels": list(channels), "most": most}
    return list(connection.execute(_RESIDENT, values).scalars())


_IN_FLIGHT = text(
    """
    SELECT d.id FROM unnest(:senders, :epochs) AS w(sender_id, epoch)
      JOIN deliveries d ON d.sender_id = w.sender_id AND d.state = 'sending' AND d.epoch = w.epoch
    """
).bindparams(big("senders"), big("epochs"))


def in_flight(connection: Connection, epochs: Mapping[int, int]) -> set[int]:
    """The deliveries that are `sending` under these leases, given as sender and epoch."""
    values = {"senders": list(epochs), "epochs": list(epochs.values())}
    return set(connection.execute(_IN_FLIGHT, values).scalars())


_NEXT_DUE = text(
    """
    SELECT min(n.due_at) FROM unnest(:held) AS w(id)
     CROSS JOIN LATERAL (SELECT d.due_at FROM deliveries d
                          WHERE d.sender_id = w.id AND d.state = 'due' AND d.due_at > :now
                          ORDER BY d.due_at LIMIT 1) n
    """
).bindparams(big("held"))


def next_due(connection: Connection, held: Sequence[int], now: datetime) -> datetime | None:
    """When the next row of the held senders becomes due."""
    return connection.execute(_NEXT_DUE, {"held": list(held), "now": now}).scalar()


_RECENT = text(
    """
    SELECT a.sender_id, a.chat_key, a.at, c.kind IN ('group', 'supergroup', 'channel') AS is_group
      FROM attempts a
      LEFT JOIN LATERAL (SELECT kind FROM conversations c
                          WHERE c.sender_id = a.sender_id AND c.chat_key = a.chat_key LIMIT 1) c ON true
     WHERE a.sender_id = ANY(:ids) AND a.at > :since AND a.phase = 'started' AND a.chat_key IS NOT NULL
    """
).bindparams(big("ids"))


def recent_attempts(connection: Connection, sender_ids: Sequence[int], since: datetime) -> Sequence[Any]:
    """What these senders lately did, so that a new holder keeps the pace of the one before."""
    return connection.execute(_RECENT, {"ids": list(sender_ids), "since": since}).all()
