"""A long history in few minutes: messages with their parts and attempts, events, and webhook events.

Each is a fifth of the rows, made in the database itself, spread over all chats and over the last 120 days, so that
retention has something to end.
"""

from __future__ import annotations

from typing import Final

import psycopg

FIFTHS = 5
_CHUNK = 250_000
_AT: Final = "now() - interval '120 days' + interval '120 days' * ((n - %(first)s)::float8 / (%(whole)s + 1))"
_CHAT: Final = "JOIN scale_chats c ON c.place = n %% %(chats)s"

_CHATS: Final = """
    CREATE TABLE scale_chats AS
    SELECT row_number() OVER (ORDER BY c.chat_key) - 1 AS place,
           c.id, c.workspace_id, c.sender_id, c.chat_key, l.user_id
      FROM conversations c LEFT JOIN telegram_links l ON l.conversation_id = c.id
"""
_LAST_ID: Final = "SELECT greatest(0, (SELECT max(id) FROM messages), (SELECT max(id) FROM notification_events))"
_STATEMENTS: Final = (
    """
    INSERT INTO messages (id, workspace_id, conversation_id, sender_id, direction, kind, lane, state, body, external_id,
                          user_id, created_at, sent_at)
    SELECT n, c.workspace_id, c.id, c.sender_id, CASE WHEN n %% 4 = 0 THEN 'in' ELSE 'out' END, 'notification', 1,
           'sent', '{"parts": [{"text": "something said long ago, about as long as a message", "format": "plain"}]}',
           'h' || n, c.user_id, @at, @at
      FROM generate_series(%(low)s::int8, %(high)s::int8) AS n @chat
    """,
    """
    INSERT INTO message_parts (workspace_id, message_id, part, sender_id, chat_key, external_id, state, sent_version,
                               sent_at)
    SELECT c.workspace_id, n, 0, c.sender_id, c.chat_key, 'h' || n, 'sent', 1, @at
      FROM generate_series(%(low)s::int8, %(high)s::int8) AS n @chat
    """,
    """
    INSERT INTO attempts (workspace_id, sender_id, chat_key, message_id, delivery_id, part, operation, phase, epoch, at,
                          kind)
    SELECT c.workspace_id, c.sender_id, c.chat_key, n, n, 0, 'send', 'started', 1, @at, 'notification'
      FROM generate_series(%(low)s::int8, %(high)s::int8) AS n @chat
    """,
    """
    INSERT INTO notification_events (id, workspace_id, type, user_id, data, decision, message_id, actor, created_at)
    SELECT n, c.workspace_id, 'post_success', c.user_id, '{"platform": "instagram", "likes": 3}', 'queued', n,
           'user:1', @at
      FROM generate_series(%(low)s::int8, %(high)s::int8) AS n @chat WHERE c.user_id IS NOT NULL
    """,
    """
    INSERT INTO webhook_events (sender_id, channel, key, conversation_key, body_encrypted, state, attempts, due_at,
                                received_at, processed_at)
    SELECT c.sender_id, 'telegram_bot', int8send(n), c.chat_key, %(body)s, 'done', 1, @at, @at, @at
      FROM generate_series(%(low)s::int8, %(high)s::int8) AS n @chat
    """,
)


class History:
    """The history in a database. The chats that it is of have to be there before."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._stored = 0
        connection.execute(_CHATS)
        self._chats = self._number("SELECT count(*) FROM scale_chats")

    def grow_to(self, rows: int) -> None:
        """Adds rows until there are so many; then statistics and visibility are as autovacuum leaves them."""
        added = rows // FIFTHS - self._stored
        first = self._number(_LAST_ID) + 1
        last = first + added - 1
        # Foreign keys hold by construction, and a crash ends the measurement: neither is what is measured.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute("SET synchronous_commit = off")
        for low in range(first, last + 1, _CHUNK):
            values = {"low": low, "high": min(last, low + _CHUNK - 1), "first": first, "whole": last - first}
            for statement in _STATEMENTS:
                given = values | {"chats": self._chats, "body": b"\x01" * 300}
                whole = statement.replace("@at", _AT).replace("@chat", _CHAT)
                self._connection.execute(whole.encode(), given)
        self._stored += added
        for table in ("messages", "notification_events"):
            self._connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), %s)".encode(), (last + 1,)
            )
        self._connection.execute("SET session_replication_role = origin")
        self._connection.execute("SET synchronous_commit = on")
        self._connection.execute("VACUUM (ANALYZE)")
        self._connection.execute("CHECKPOINT")

    def size(self) -> float:
        """How large the database is, in GB."""
        return self._number("SELECT pg_database_size(current_database())") / 10**9

    def _number(self, query: str) -> int:
        row = self._connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])
