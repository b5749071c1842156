"""Rows of an inbox: conversations with their people, contacts and messages, loaded by COPY.

A third of the messages is Korean, the others are made of words in Latin letters; words come as often as words do (by
their rank), and a message has eighty characters on average. Every thousandth message holds a telephone number.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import psycopg

from backend.services.inbox import words

_LATIN, _KOREAN = 30_000, 20_000
_CHANNELS = ("telegram_bot", "whatsapp", "messenger", "instagram")
_STATUSES = ("closed", "open", "waiting", "bot", "snoozed")
_STATUS_WEIGHTS = (80, 6, 8, 5, 1)


@dataclass(frozen=True)
class Vocabulary:
    """Words by their rank, and how often each comes, summed up."""

    words: Sequence[str]
    weights: Sequence[float]

    def take(self, of: random.Random, count: int) -> list[str]:
        """So many words."""
        return of.choices(self.words, cum_weights=self.weights, k=count)


def vocabularies(of: random.Random) -> tuple[Vocabulary, Vocabulary]:
    """Words in Latin letters and Korean ones, the most frequent first."""
    syllables = [chr(0xAC00 + of.randrange(11_172)) for _ in range(900)]
    latin = {"".join(of.choices("etaoinshrdlucmfwypvbgkqjxz", k=of.randint(2, 9))): None for _ in range(_LATIN)}
    korean = {"".join(of.choices(syllables, k=of.choice((2, 2, 2, 3, 3, 4)))): None for _ in range(_KOREAN)}
    return _ranked(list(latin)), _ranked(list(korean))


def _ranked(taken: list[str]) -> Vocabulary:
    return Vocabulary(taken, list(accumulate(1 / (rank + 2) for rank in range(len(taken)))))


class InboxRows:
    """Writes the rows of one workspace with four integrations."""

    def __init__(self, connection: psycopg.Connection, workspace_id: int, sender_ids: Sequence[int]) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._senders = list(zip(sender_ids, _CHANNELS, strict=False))
        self._random = random.Random(7)  # noqa: S311 - a measurement's words
        self.latin, self.korean = vocabularies(self._random)
        self._now = datetime.now(UTC)

    def load(self, conversations: int, messages: int, user_ids: Sequence[int]) -> None:
        """Loads so many; ids begin with 1 each. The index of words is made after the rows."""
        of = self._random
        last = self._spread(conversations, messages)
        self._connection.execute("DROP INDEX ix_message_words_words")
        self._connection.execute("SET session_replication_role = replica")
        names = [" ".join(self.latin.take(of, 2)).title() if number % 3 else "".join(self.korean.take(of, 2))
                 for number in range(conversations)]  # fmt: skip
        self._copy(
            "contacts (id, workspace_id, first_name, fields, created_at, updated_at)",
            ((n + 1, self._workspace_id, names[n], "{}", self._now, self._now) for n in range(conversations)),
        )
        self._copy("identities (id, workspace_id, channel, external_id_encrypted, external_hash, contact_id,"
                   " display_name, created_at, updated_at)",
                   ((n + 1, self._workspace_id, "telegram", b"x", b"h%d" % n, n + 1, names[n], self._now, self._now)
                    for n in range(conversations)))  # fmt: skip
        self._copy("conversations (id, workspace_id, channel, sender_id, chat_hash, chat_key, chat_id_encrypted, kind,"
                   " title, identity_id, created_at, in_inbox, status, assignee_id, unread_count, waiting_since,"
                   " last_activity_at, last_message_id, last_inbound_message_id, followed_message_id, words_due)",
                   self._conversations(conversations, names, last, user_ids))  # fmt: skip
        self._copy(
            "conversation_labels (workspace_id, conversation_id, label_id)",
            ((self._workspace_id, n + 1, 1 + n % 10) for n in range(0, conversations, 3)),
        )
        self._messages(messages)
        self._connection.execute("SET session_replication_role = origin")
        self._connection.execute("CREATE INDEX ix_message_words_words ON message_words USING gin (words)")
        for table in ("contacts", "identities", "conversations", "messages"):
            self._connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
            )
        self._connection.execute("VACUUM ANALYZE")

    def text(self) -> str:
        """A message's words."""
        of = self._random
        if of.random() < 1 / 3:
            taken = " ".join(self.korean.take(of, of.randint(8, 42)))
        else:
            taken = " ".join(self.latin.take(of, of.randint(4, 20)))
        if of.random() < 0.001:
            taken += f" 010-{of.randrange(2000, 9999)}-{of.randrange(10_000):04d}"
        return taken

    def _spread(self, conversations: int, messages: int) -> dict[int, tuple[int, datetime]]:
        """Which conversation each message belongs to: a fifth of them is of a hundred long ones."""
        of, self._of_message, last = self._random, [], {}
        long = max(1, conversations // 1000)
        for number in range(messages):
            chat = of.randrange(long) if of.random() < 0.2 else number % conversations
            self._of_message.append(chat)
            last[chat] = number + 1, self._at(number, messages)
        return last

    def _at(self, number: int, messages: int) -> datetime:
        return self._now - timedelta(days=365) * (1 - number / messages)

    def _conversations(
        self, count: int, names: Sequence[str], last: dict[int, tuple[int, datetime]], user_ids: Sequence[int]
    ) -> Iterator[tuple[object, ...]]:
        of = self._random
        statuses = of.choices(_STATUSES, weights=_STATUS_WEIGHTS, k=count)
        for n in range(count):
            message_id, at = last.get(n, (None, self._now))
            sender_id, channel = self._senders[n % len(self._senders)]
            is_open = statuses[n] == "open"
            assignee = of.choice(user_ids) if is_open and of.random() < 0.5 else None
            yield (
                n + 1, self._workspace_id, channel, sender_id, b"c%d" % n, n + 1, b"x", "private", names[n], n + 1,
                self._now, True, statuses[n], assignee, 1 if is_open else 0, at if is_open else None, at, message_id,
                message_id, message_id, False,
            )  # fmt: skip

    def _messages(self, count: int) -> None:
        """Messages and their words, half a million characters of each at a time."""
        columns = ("messages (id, workspace_id, conversation_id, sender_id, direction, kind, lane, state, body, via,"
                   " created_at, happened_at)")  # fmt: skip
        for begin in range(0, count, 50_000):
            numbers = range(begin, min(count, begin + 50_000))
            texts = [self.text() for _ in numbers]
            rows = list(zip(numbers, texts, strict=True))
            self._copy(columns, (self._message(number, text, count) for number, text in rows))
            self._copy(
                "message_words (message_id, workspace_id, conversation_id, at, words)",
                (
                    (
                        number + 1,
                        self._workspace_id,
                        self._of_message[number] + 1,
                        self._at(number, count),
                        words.tsvector(text),
                    )
                    for number, text in rows
                ),
            )

    def _message(self, number: int, text: str, count: int) -> tuple[object, ...]:
        is_in = number % 2 == 0
        chat, at = self._of_message[number], self._at(number, count)
        sender_id = self._senders[chat % len(self._senders)][0]
        body = json.dumps({"parts": [{"text": text, "format": "plain"}]}, ensure_ascii=False)
        return (
            number + 1, self._workspace_id, chat + 1, sender_id, "in" if is_in else "out",
            "text" if is_in else "conversation_reply", 0, "received" if is_in else "sent", body,
            "provider" if is_in else "console", at, at,
        )  # fmt: skip

    def _copy(self, into: str, rows: Iterator[tuple[object, ...]]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
            write: Callable[[tuple[object, ...]], None] = copy.write_row
            for row in rows:
                write(row)
