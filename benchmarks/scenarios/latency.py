"""From `POST /api/events` to the provider's acceptance, at 20 a second; and a person's command answered while a
broadcast of 10,000 messages runs on the same bot. The bot's limits hold throughout.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

from benchmarks import checker
from benchmarks.load import percentile
from benchmarks.profiling import profile
from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import BOT_TOKEN, WEBHOOK_SECRET, Stage, stage, wait_for

NAME = "latency"
BOT = int(BOT_TOKEN.partition(":")[0])


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    with stage() as on:
        on.start_provider()
        on.ceiling(0.5)
        on.provider("set", policy="strict", latency="20-40")
        on.start_web()
        on.start_worker()
        token, workspace_id = register(on)
        wait_for(lambda: bool(on.rows("SELECT 1 FROM senders WHERE source = 'environment'")), 20, "the bot's row")
        sender_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
        seeding = Seeding(on)
        chats = seeding.chats(workspace_id, sender_id, [700_000 + i for i in range(200)])
        people = seeding.people(workspace_id, sender_id, chats)
        _events(on, token, people, "warm", 3.0)
        for number in range(options.passes):
            with profile(options, on.pids("worker")[0], f"latency-{number}"):
                result.passes.append(_events(on, token, people, f"p{number}", 3.0 if options.quick else 30.0))
        broadcast = 300 if options.quick else 10_000
        replies = _replies(on, seeding, workspace_id, sender_id, chats, broadcast, 6.0 if options.quick else 60.0)
    result.add("event to acceptance at 20/s: median", median_of(result.passes, "median_ms"), "ms", 50.0)
    result.add("event to acceptance at 20/s: p99", median_of(result.passes, "p99_ms"), "ms", 200.0)
    result.add("event to acceptance at 20/s: most", max(figures["max_ms"] for figures in result.passes), "ms")
    result.add("the API's own answer: median", median_of(result.passes, "api_median_ms"), "ms")
    result.add("answers 429", sum(figures["refused"] for figures in [*result.passes, replies]), "", 0)
    result.add("reply during a broadcast: p99", replies["p99_ms"], "ms", 1000.0)
    result.add("reply during a broadcast: median", replies["median_ms"], "ms")
    result.add("broadcast meanwhile, of the limit", replies["broadcast_ratio"])
    result.passes.append({"replies": replies})
    return result


def register(on: Stage) -> tuple[str, int]:
    """Makes the first workspace; returns an access token and the workspace's id."""
    body = {"email": "ada@example.com", "password": "correct horse battery", "name": "Ada", "workspace": "Bench"}
    connection = http.client.HTTPConnection("127.0.0.1", on.port, timeout=20)
    connection.request("POST", "/api/auth/register", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    parsed = json.loads(answer.read())
    if answer.status != 201:
        raise RuntimeError(f"registering: {answer.status} {parsed}")
    return str(parsed["access_token"]), on.number("SELECT min(id) FROM workspaces")


def event_body(name: str) -> str:
    """An event's JSON for `benchmarks.load`: `%V%` is the person, and the message says `«name number»`."""
    return f'{{"type":"post_failure","user_id":%V%,"data":{{"platform":"x","content":"bench","error":"«{name} %N%»"}}}}'


def _events(on: Stage, token: str, people: list[int], name: str, seconds: float) -> dict[str, Any]:
    on.provider("reset")
    notes = on.folder / "notes.jsonl"
    done = on.load(
        port=on.port,
        path="/api/events",
        body=event_body(name),
        values=[str(entry) for entry in people],
        headers={"Authorization": f"Bearer {token}"},
        connections=8,
        rate=20.0,
        seconds=seconds,
        notes=str(notes),
    )
    if set(done["statuses"]) != {"202"}:
        raise RuntimeError(f"the API answered {done['statuses']}")
    wait_for(on.settled, 60, "the events' messages")
    entries = on.entries()
    accepted = checker.by_mark(entries)
    waits = sorted(
        (accepted[f"{name} {number}"][0] - due) / 1e6
        for number, _, due, _, _ in map(json.loads, notes.read_text().splitlines())
    )
    return {
        "median_ms": percentile(waits, 50),
        "p99_ms": percentile(waits, 99),
        "max_ms": waits[-1],
        "api_median_ms": done["median_ms"],
        "api_p99_ms": done["p99_ms"],
        "refused": sum(entry.status == 429 for entry in entries),
    }


def _replies(
    on: Stage, seeding: Seeding, workspace_id: int, sender_id: int, people: list[Chat], broadcast: int, seconds: float
) -> dict[str, Any]:
    """Two commands a second through the webhook, each from another linked person; the broadcast is left unfinished."""
    audience = seeding.chats(workspace_id, sender_id, [800_000 + i for i in range(broadcast)])
    on.provider("reset")
    seeding.messages(audience, [f"broadcast {i}" for i in range(broadcast)])
    seeding.nudge()
    time.sleep(2.0)
    sent: dict[int, int] = {}
    threads = []
    begun = time.monotonic()
    for number in range(int(seconds * 2)):
        time.sleep(max(0.0, begun + number / 2 - time.monotonic()))
        chat = people[number % len(people)].chat_id
        sent[chat] = time.monotonic_ns()
        threads.append(threading.Thread(target=send_update, args=(on.port, 9_000_000 + number, chat)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    time.sleep(3.0)
    entries = [entry for entry in on.entries() if entry.bot == BOT]
    waits = []
    for chat, at in sent.items():
        answers = [entry.at for entry in entries if entry.chat == chat and entry.accepted and entry.at >= at]
        if not answers:
            raise RuntimeError(f"chat {chat} got no reply")
        waits.append((min(answers) - at) / 1e6)
    waits.sort()
    pace = checker.pace_of(entries, {entry.text for entry in entries if entry.text.startswith("broadcast")})
    return {
        "p99_ms": percentile(waits, 99),
        "median_ms": percentile(waits, 50),
        "max_ms": waits[-1],
        "replies": len(waits),
        "broadcast_ratio": pace.ratio,
        "refused": sum(entry.status == 429 for entry in entries),
    }


def send_update(port: int, number: int, chat: int) -> None:
    """Delivers `/help` of a chat as Telegram does. Raises RuntimeError where it is not acknowledged."""
    person = {"id": chat, "is_bot": False, "first_name": "Sam"}
    text = {"text": "/help", "entities": [{"type": "bot_command", "offset": 0, "length": 5}]}
    about = {"message_id": number, "date": 1767225600, "chat": {"id": chat, "type": "private", "first_name": "Sam"}}
    body = json.dumps({"update_id": number, "message": about | {"from": person} | text})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
    connection.request("POST", "/telegram/webhook", body, headers)
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"the webhook answered {status}")
