"""What simple reads and lists of fifty cost the web process, beside a plain Flask view with the same libraries.

Both servers are asked in turn, a block of requests at a time over one connection; what counts is the CPU time of
their processes, PostgreSQL's apart.
"""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from benchmarks import cpu
from benchmarks.load import free_port
from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, listens, stage, wait_for

NAME = "reads"
ROWS = 60
READS = ("/api/auth/me", "/api/telegram/status", "/api/notifications/settings", "/api/posts/1")
LISTS = ("/api/messages?limit=50", "/api/events?limit=50", "/api/people?limit=50", "/api/posts?limit=50")
PLAIN = "a plain Flask view"
_BLOCK = 40
_WARM = 20
_PASSWORD = "correct horse battery 9"  # noqa: S105

_POSTS = """
    INSERT INTO posts (workspace_id, user_id, platform, content, state, created_at, updated_at)
    SELECT %(workspace)s, %(person)s, 'x', 'Hello', 'draft', now(), now() FROM generate_series(1, %(count)s)
"""
_EVENTS = """
    INSERT INTO notification_events (workspace_id, type, user_id, data, decision, actor, created_at)
    SELECT %(workspace)s, 'post_success', %(person)s, '{"platform": "instagram", "likes": 3}', 'queued', 'user:1', now()
      FROM generate_series(1, %(count)s)
"""
_LINK = """
    INSERT INTO telegram_links (workspace_id, user_id, sender_id, conversation_id, chat_hash, state, linked_at)
    SELECT workspace_id, %(person)s, sender_id, id, chat_hash, 'active', now()
      FROM conversations WHERE id = %(conversation)s
"""


@dataclass
class Target:
    """Something that is asked: over a connection of its own, with a token."""

    name: str
    port: int
    path: str
    token: str
    pids: list[int]
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, times: int) -> float:
        """Asks so often, over a new connection; returns the CPU milliseconds of a request."""
        self.connection.close()  # a server ends one that rested for seconds
        before = cpu.seconds(self.pids)
        for _ in range(times):
            self.connection.request("GET", self.path, headers={"Authorization": f"Bearer {self.token}"})
            response = self.connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise RuntimeError(f"{self.name} answered {response.status}: {body[:200]!r}")
        return (cpu.seconds(self.pids) - before) / times * 1000


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    blocks = 2 if options.quick else 6
    with stage() as on:
        on.start_web()
        token, user = _register(on)
        _seed(on, token, user)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.peers.flask_reads", str(port), str(user["id"])]
        on.start("plain", command)
        wait_for(lambda: listens(port), 30, "the plain view")
        targets = [Target(PLAIN, port, "/me", _get(port, "/token"), on.pids("plain"))]
        targets += [Target(path, on.port, path, token, on.pids("web")) for path in (*READS, *LISTS)]
        for target in targets:
            target.ask(_WARM)
        for _ in range(options.passes):
            spent = dict.fromkeys((target.name for target in targets), 0.0)
            for _ in range(blocks):
                for target in targets:
                    spent[target.name] += target.ask(_BLOCK) / blocks
            ratios = {f"{name} / plain": value / spent[PLAIN] for name, value in spent.items()}
            result.passes.append(spent | ratios)
    for paths, most in ((READS, 1.5), (LISTS, 2.5)):
        for path in paths:
            result.add(f"GET {path} / {PLAIN}", median_of(result.passes, f"{path} / plain"), "", most)
    for name in (PLAIN, *READS, *LISTS):
        result.add(f"CPU of {name}", median_of(result.passes, name), "ms a request")
    return result


def _register(on: Stage) -> tuple[str, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", on.port, timeout=30)
    body = {"email": "bench@example.com", "password": _PASSWORD, "name": "Bench", "workspace": "Bench"}
    connection.request("POST", "/api/auth/register", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    return str(answer["access_token"]), answer["user"]


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def _seed(on: Stage, token: str, user: dict[str, Any]) -> None:
    """Sixty of everything that is listed, and the person's link with the default bot."""
    seeding = Seeding(on)
    workspace_id, person_id = int(user["workspace"]["id"]), int(user["id"])
    # The first read of the link makes the default bot's row.
    Target("status", on.port, "/api/telegram/status", token, on.pids("web")).ask(1)
    bot_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
    chats = seeding.chats(workspace_id, bot_id, [10_000 + number for number in range(ROWS)])
    seeding.messages(chats, ["Hello"] * ROWS)
    seeding.people(workspace_id, bot_id, chats[1:])
    values = {"workspace": workspace_id, "person": person_id, "count": ROWS, "conversation": chats[0].id}
    for statement in (_POSTS, _EVENTS, _LINK):
        seeding.connection.execute(statement.encode(), values)
    seeding.connection.execute("VACUUM (ANALYZE)")
