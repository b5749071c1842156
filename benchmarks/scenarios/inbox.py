"""The inbox over 1,000,000 messages and 100,000 conversations: the list, a thread and the search, warm and at first.

Every kind of call is asked one after the other, as one person's pages do. Searches are for frequent words, middling and
rare ones, parts of Korean words, two words, phrases, telephone numbers, and words that nobody wrote.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.inbox_rows import InboxRows, Vocabulary
from benchmarks.result import Options, Result
from benchmarks.seeding import Seeding
from benchmarks.stage import ROOT, Stage, stage

NAME = "inbox"
_TARGETS = {"list": 50.0, "counts": None, "thread": 50.0}
_SEARCH = 200.0


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    conversations, messages = (2_000, 20_000) if options.quick else (100_000, 1_000_000)
    with stage() as on, tempfile.TemporaryDirectory() as folder:
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        senders = [seeding.bot(workspace_id)[0] for _ in range(4)]
        token, user_id = _person(on, workspace_id)
        with on.connect() as connection:
            connection.autocommit = True
            connection.execute(
                "INSERT INTO labels (workspace_id, name, name_folded, color, created_at)"
                " SELECT %s, 'label ' || n, 'label ' || n, 'grey', now() FROM generate_series(1, 10) n",
                (workspace_id,),
            )
            rows = InboxRows(connection, workspace_id, senders)
            rows.load(conversations, messages, [user_id])
        queries = Path(folder) / "searches.json"
        queries.write_text(json.dumps(_searches(rows.latin, rows.korean), ensure_ascii=False))
        on.postgres.restart()
        calls = 40 if options.quick else 300
        for _ in range(options.passes):
            result.passes.append(_measure(on, token, calls, queries, conversations))
    for name in result.passes[0]:
        best = min((figures[name] for figures in result.passes), key=lambda figures: float(figures["p95"]))
        target = _SEARCH if name.startswith("search") else _TARGETS.get(name)
        result.add(f"{name}, p95", best["p95"], "ms", target)
        result.add(f"{name}, p50", best["p50"], "ms")
        result.add(f"{name}, first call", result.passes[0][name]["first"], "ms")
        result.add(f"{name}, CPU of both", best["cpu"], "ms")
        result.add(f"{name}, statements", best["statements"])
    return result


def _person(on: Stage, workspace_id: int) -> tuple[str, int]:
    """A person's personal token, and their id."""
    command = [sys.executable, "-c", _MAKE_PERSON, str(workspace_id)]
    ended = subprocess.run(command, cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE, check=True)
    token, user_id = ended.stdout.decode().split()
    return token, int(user_id)


_MAKE_PERSON = """
import sys
from backend.app import create_app
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import User
from backend.services.auth import personal_tokens
from backend.services.auth.actor import Actor, scopes_of
workspace_id = int(sys.argv[1])
with create_app().app_context(), workspace_scope(workspace_id):
    user = User(workspace_id=workspace_id, email="kim@example.com", name="Kim", role="admin", created_at=clock.now())
    db.session.add(user)
    db.session.flush()
    actor = Actor(user.id, workspace_id, "admin", False, scopes_of("admin"), f"user:{user.id}")
    _, secret = personal_tokens.issue(actor, "bench", ["read"])
    with system_scope("a measurement"):
        db.session.commit()
    print(secret, user.id)
"""


def _searches(latin: Vocabulary, korean: Vocabulary) -> dict[str, list[str]]:
    of = random.Random(13)  # noqa: S311 - a measurement's searches

    def ranks(of_words: Vocabulary, low: int, high: int, count: int = 20) -> list[str]:
        usual = [word for word in of_words.words[low:high] if len(word) > 1]
        return of.sample(usual, min(count, len(usual)))

    return {
        "frequent words": ranks(latin, 0, 40) + ranks(korean, 0, 40),
        "middling words": ranks(latin, 500, 3000) + ranks(korean, 500, 3000),
        "rare words": ranks(latin, 20_000, 30_000) + ranks(korean, 12_000, 20_000),
        "two words": [" ".join(pair) for pair in zip(ranks(latin, 0, 300), ranks(latin, 300, 4000), strict=True)],
        "inside Korean words": [word[1:3] for word in ranks(korean, 0, 8000, 200) if len(word) > 2][:30],
        "phrases": [f'"{" ".join(pair)}"' for pair in zip(ranks(latin, 0, 60), ranks(latin, 0, 60), strict=True)],
        "beginnings": [word[:2] for word in ranks(latin, 0, 5000, 30)],
        "telephone numbers": [f"{of.randrange(2000, 9999)}-{of.randrange(10_000):04d}" for _ in range(20)],
        "nobody's words": ["zzqxj" + word for word in ranks(latin, 0, 3000)],
    }


def _measure(on: Stage, token: str, calls: int, queries: Path, conversations: int) -> dict[str, Any]:
    pid = str(on.postgres_pid)
    command = [sys.executable, "-m", "benchmarks.inbox_cost", token, pid, str(calls), str(queries)]
    command.append(str(conversations))
    ended = subprocess.run(command, cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE, check=True)
    spent: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return spent
