"""Rows to begin with: bots, chats, linked people and what waits to be said, as the product's own services leave them.

Written straight into the tables, since a hundred thousand calls of a service would take longer than the measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import redis

from backend.core.crypto import Keyring
from backend.core.queue import NUDGE_CHANNEL
from benchmarks.stage import Stage

CHANNEL = "telegram_bot"


@dataclass(frozen=True)
class Chat:
    """A conversation's row and the provider's id of its chat."""

    id: int
    chat_id: int
    key: int


class Seeding:
    """Makes rows in a stage's database."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._keys = Keyring.from_settings(stage.environment["ENCRYPTION_KEYS"], None, stage.environment["SECRET_KEY"])
        self.connection: psycopg.Connection = stage.connect()
        self._bots = 0

    def workspace(self) -> int:
        """A workspace's id."""
        return self._number_of("INSERT INTO workspaces (name, created_at) VALUES ('Bench', now()) RETURNING id")

    def bot(self, workspace_id: int) -> tuple[int, int]:
        """A bot's row and its id at the provider."""
        self._bots += 1
        number = 4_200_000 + self._bots
        sender_id = self._number_of("SELECT nextval(pg_get_serial_sequence('senders', 'id'))")
        token = f"{number}:BENCH-not-a-real-token"
        self.connection.execute(
            "INSERT INTO senders (id, workspace_id, channel, source, name, name_folded, external_id, username,"
            " credentials_encrypted, credentials_hash, is_active, facts, created_at)"
            " VALUES (%s, %s, %s, 'database', %s, %s, %s, %s, %s, %s, true, '{}', now())",
            (
                sender_id,
                workspace_id,
                CHANNEL,
                f"bot {sender_id}",
                f"bot {sender_id}",
                str(number),
                f"bench_{number}_bot",
                self._encrypted(token, "senders", "credentials_encrypted", sender_id),
                self._keys.lookup("sender.credentials", token),
            ),
        )
        return sender_id, number

    def account(self, workspace_id: int, telegram_id: int, session: str) -> int:
        """A person's account that is logged in by this session; its sender's id."""
        sender_id = self._number_of("SELECT nextval(pg_get_serial_sequence('senders', 'id'))")
        account_id = self._number_of("SELECT nextval(pg_get_serial_sequence('accounts', 'id'))")
        settings = '{"api_id": "12345", "api_hash": "' + "0" * 32 + '"}'
        self.connection.execute(
            "INSERT INTO senders (id, workspace_id, channel, source, name, name_folded, credentials_encrypted,"
            " credentials_hash, settings_encrypted, is_active, facts, created_at)"
            " VALUES (%s, %s, 'telegram_user', 'database', %s, %s, %s, %s, %s, true, '{}', now())",
            (
                sender_id,
                workspace_id,
                f"account {telegram_id}",
                f"account {telegram_id}",
                self._encrypted(session, "senders", "credentials_encrypted", sender_id),
                self._keys.lookup("sender.credentials", session),
                self._encrypted(settings, "senders", "settings_encrypted", sender_id),
            ),
        )
        self.connection.execute(
            "INSERT INTO accounts (id, workspace_id, sender_id, telegram_user_id_encrypted, telegram_user_hash,"
            " quota_key, name, device, state, since, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'Bench', 'Switchboard on bench', 'waiting', now(), now())",
            (
                account_id,
                workspace_id,
                sender_id,
                self._encrypted(str(telegram_id), "accounts", "telegram_user_id_encrypted", account_id),
                self._keys.lookup("identity", f"telegram::{telegram_id}"),
                self._keys.lookup("quota", f"telegram:{telegram_id}"),
            ),
        )
        return sender_id

    def chats(self, workspace_id: int, sender_id: int, chat_ids: Sequence[int]) -> list[Chat]:
        """Conversations with these chats; negative ids are groups."""
        first = self._number_of("SELECT nextval(pg_get_serial_sequence('conversations', 'id'))")
        chats: list[Chat] = []
        columns = "id, workspace_id, channel, sender_id, chat_hash, chat_key, chat_id_encrypted, kind, created_at"
        with self.connection.cursor().copy(f"COPY conversations ({columns}) FROM STDIN") as copy:
            copy.set_types(["int8", "int8", "text", "int8", "bytea", "int8", "bytea", "text", "timestamptz"])
            for offset, chat_id in enumerate(chat_ids):
                row_id = first + offset
                hashed = self._keys.lookup("chat", f"{CHANNEL}:{sender_id}:{chat_id}")
                key = int.from_bytes(hashed[:8], "big", signed=True)
                ciphertext = self._encrypted(str(chat_id), "conversations", "chat_id_encrypted", row_id)
                kind = "supergroup" if chat_id < 0 else "private"
                copy.write_row(
                    (row_id, workspace_id, CHANNEL, sender_id, hashed, key, ciphertext, kind, "2026-01-01 UTC")
                )
                chats.append(Chat(row_id, chat_id, key))
        self._number_of("SELECT setval(pg_get_serial_sequence('conversations', 'id'), %s)", first + len(chats))
        return chats

    def people(self, workspace_id: int, sender_id: int, chats: Sequence[Chat]) -> list[int]:
        """A person for each chat, linked with it; their ids."""
        ids = []
        with self.connection.transaction():
            for chat in chats:
                user_id = self._number_of(
                    "INSERT INTO users (workspace_id, name, role, created_at) VALUES (%s, 'Bench', 'viewer', now())"
                    " RETURNING id",
                    workspace_id,
                )
                ids.append(user_id)
                self.connection.execute(
                    "INSERT INTO telegram_links (workspace_id, user_id, sender_id, conversation_id, chat_hash, state,"
                    " linked_at) SELECT workspace_id, %s, sender_id, id, chat_hash, 'active', now()"
                    " FROM conversations WHERE id = %s",
                    (user_id, chat.id),
                )
        return ids

    def messages(
        self,
        chats: Sequence[Chat],
        texts: Sequence[str],
        *,
        lane: int = 2,
        at_most_once: bool = False,
    ) -> None:
        """A message with its delivery for each text, the chats in turn, in one commit."""
        with self.connection.transaction():
            self.connection.execute(
                """
                WITH wanted AS MATERIALIZED (
                    SELECT n, w.text, (%(ids)s::int8[])[1 + (n - 1) %% %(chats)s] AS conversation_id,
                           nextval(pg_get_serial_sequence('messages', 'id')) AS id
                      FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS w(text, n)
                ), said AS (
                    INSERT INTO messages (id, workspace_id, conversation_id, sender_id, direction, kind, lane, state,
                                          body, at_most_once, created_at)
                    SELECT w.id, c.workspace_id, c.id, c.sender_id, 'out', 'bench', %(lane)s, 'queued',
                           jsonb_build_object('parts', jsonb_build_array(
                               jsonb_build_object('text', w.text, 'format', 'plain'))), %(once)s, clock_timestamp()
                      FROM wanted w JOIN conversations c ON c.id = w.conversation_id ORDER BY w.n
                    RETURNING id
                )
                INSERT INTO deliveries (workspace_id, sender_id, conversation_id, message_id, part, operation, chat_key,
                                        lane, due_at, expires_at, state, epoch, attempts, reason, at_most_once)
                SELECT c.workspace_id, c.sender_id, c.id, w.id, 0, 'send', c.chat_key, %(lane)s, clock_timestamp(),
                       clock_timestamp() + interval '24 hours', 'due', 0, 0, 'queued', %(once)s
                  FROM wanted w JOIN conversations c ON c.id = w.conversation_id ORDER BY w.n
                """,
                {
                    "ids": [chat.id for chat in chats],
                    "chats": len(chats),
                    "texts": list(texts),
                    "lane": lane,
                    "once": at_most_once,
                },
            )

    def nudge(self) -> None:
        """What a commit of the product does: tells the dispatch loops."""
        with redis.Redis.from_url(self._stage.valkey.url) as store:
            store.publish(NUDGE_CHANNEL, b"1")

    def _encrypted(self, value: str, table: str, column: str, row: int) -> bytes:
        return self._keys.encrypt(value, table=table, column=column, row=str(row))

    def _number_of(self, query: str, *values: object) -> int:
        row = self.connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])
