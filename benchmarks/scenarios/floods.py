"""How long others wait beside a flood: of one chat's updates, of many chats' commands, of one workspace's messages.

What counts is the time from a person's command, or from a message's row, to the provider's acceptance. The provider
keeps Telegram's strict limits.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.checker import Entry
from benchmarks.result import Options, Result, median_of
from benchmarks.scenarios.latency import BOT, register, send_update
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import WEBHOOK_SECRET, Stage, stage, wait_for

NAME = "floods"
_PATIENT = 120.0
_NUMBERS = 50_000_000


class Floods:
    """A stage with two workspaces on one bot, and what is measured there."""

    def __init__(self, on: Stage, options: Options) -> None:
        self._on = on
        self._seeding = Seeding(on)
        self._size = 300 if options.quick else 3_000
        self._next_chat = 1_000_000
        self._next_update = _NUMBERS
        _, self._first = register(on)
        self._second = self._seeding.workspace()
        wait_for(lambda: bool(on.rows("SELECT 1 FROM senders WHERE source = 'environment'")), 60, "the bot's row")
        self._bot = on.number("SELECT id FROM senders WHERE source = 'environment'")
        self._ask()  # how long processes take to start is not what is measured

    def one_chat(self) -> dict[str, float]:
        """One chat sends texts; meanwhile another person asks, and another workspace has something to say."""
        self._updates(self._new_chats(1), "what is this", self._size)
        return {"a flood of one chat: another chat's answer": self._ask()} | self._neighbour("a flood of one chat")

    def many_chats(self) -> dict[str, float]:
        """A hundred chats send thirty commands each; then a new chat asks."""
        chats = self._new_chats(100)
        began = time.monotonic_ns()
        self._updates(chats, "/help", self._size)
        figures = {"commands of 100 chats: a new chat's answer": self._ask()}
        figures |= self._neighbour("commands of 100 chats")
        wait_for(lambda: self._settled(), _PATIENT, "the answers to the flood")
        answers = Counter(entry.chat for entry in self._entries(began) if entry.chat in set(chats))
        return figures | {"commands of 100 chats: most answers to one": float(max(answers.values(), default=0))}

    def messages(self) -> dict[str, float]:
        """A workspace has 2,900 messages for 100 chats; another has one, and a new chat asks."""
        chats = self._chats(self._first, 100)
        self._seeding.messages(chats, [f"flood {self._next_chat} {number}" for number in range(self._size)], lane=1)
        self._seeding.nudge()
        time.sleep(1.0)
        figures = self._neighbour("messages to 100 chats")
        figures["messages to 100 chats: a new chat's answer"] = self._ask()
        self._on.execute("DELETE FROM deliveries WHERE state = 'due'")
        return figures

    def new_chats(self) -> dict[str, float]:
        """A hundred new chats ask at once: thirty a second is what the bot may say. Another workspace does not wait."""
        chats = self._new_chats(100)
        began = time.monotonic_ns()
        self._updates(chats, "/help", 100)
        figures = self._neighbour("100 new chats")
        wait_for(lambda: set(chats) <= {entry.chat for entry in self._entries(began)}, _PATIENT, "their answers")
        first = {}
        for entry in self._entries(began):
            first.setdefault(entry.chat, entry.at)
        return figures | {
            "100 new chats: the last one's first answer": (max(first[chat] for chat in chats) - began) / 1e9
        }

    def _updates(self, chats: list[int], words: str, count: int) -> None:
        """Has the webhook take so many updates of these chats, in turn."""
        command = words.startswith("/")
        entities = [{"type": "bot_command", "offset": 0, "length": len(words)}] if command else []
        person = '{"id": %V%, "is_bot": false, "first_name": "Sam"}'
        chat = '{"id": %V%, "type": "private", "first_name": "Sam"}'
        body = (
            f'{{"update_id": %N%, "message": {{"message_id": %N%, "date": 1767225600, "from": {person},'
            f' "chat": {chat}, "text": {json.dumps(words)}, "entities": {json.dumps(entities)}}}}}'
        )
        done = self._on.load(
            port=self._on.port,
            path="/telegram/webhook",
            body=body,
            values=[str(chat_id) for chat_id in chats],
            headers={"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET},
            connections=16,
            first=self._next_update,
            most=count,
            seconds=60.0,
        )
        self._next_update += count
        if set(done["statuses"]) != {"200"}:
            raise RuntimeError(f"the webhook answered {done['statuses']}")

    def _ask(self) -> float:
        """Seconds until a chat that was never met has the answer to its command."""
        (chat,) = self._new_chats(1)
        began = time.monotonic_ns()
        self._next_update += 1
        send_update(self._on.port, self._next_update, chat)
        return self._waited(began, lambda entry: entry.chat == chat)

    def _neighbour(self, beside: str) -> dict[str, float]:
        """Seconds until a message of the other workspace is out."""
        (chat,) = self._chats(self._second, 1)
        words = f"of another {chat.chat_id}"
        began = time.monotonic_ns()
        self._seeding.messages([chat], [words], lane=1)
        self._seeding.nudge()
        return {f"{beside}: another workspace's message": self._waited(began, lambda entry: entry.text == words)}

    def _waited(self, began: int, is_it: Callable[[Entry], bool]) -> float:
        wait_for(lambda: any(map(is_it, self._entries(began))), _PATIENT, "an answer beside the flood")
        return (min(entry.at for entry in self._entries(began) if is_it(entry)) - began) / 1e9

    def _entries(self, since: int) -> list[Entry]:
        return [entry for entry in self._on.entries() if entry.bot == BOT and entry.accepted and entry.at >= since]

    def _settled(self) -> bool:
        return self._on.settled() and not self._on.rows("SELECT 1 FROM webhook_events WHERE state = 'new' LIMIT 1")

    def _chats(self, workspace_id: int, count: int) -> list[Chat]:
        return self._seeding.chats(workspace_id, self._bot, self._new_chats(count))

    def _new_chats(self, count: int) -> list[int]:
        self._next_chat += count
        return [self._next_chat - place for place in range(count)]


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    with stage() as on:
        on.start_provider()
        on.ceiling(0.5)
        on.provider("set", policy="strict", latency="20-40")
        on.start_web()
        on.start_worker()
        floods = Floods(on, options)
        for _ in range(options.passes):
            figures: dict[str, float] = {}
            for measure in (floods.one_chat, floods.many_chats, floods.messages, floods.new_chats):
                figures |= measure()
                wait_for(on.settled, _PATIENT, "what the flood left")
            result.passes.append(figures)
    for name in result.passes[0]:
        is_count = name.endswith("to one")
        most = 20.0 if is_count else None if name.endswith("first answer") else 2.0
        result.add(name, median_of(result.passes, name), "" if is_count else "s", most)
    return result
