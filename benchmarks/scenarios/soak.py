"""Mixed traffic for minutes while a random process is killed every five seconds and the provider fails now and then.

Traffic: events by the API (a reporter that repeats what was not answered, with its idempotency key), updates by the
webhook (repeated until acknowledged, as Telegram does), and campaign-like messages that may be said once at most.
Killed are the web process and its worker, the supervisor, the dispatch loop, the jobs, Valkey and PostgreSQL. A kill is
recovered from when an event reported after it, and the answer to a command sent after it, have reached the provider.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import psutil
import psycopg

from benchmarks import checker
from benchmarks.load import percentile
from benchmarks.result import Options, Result
from benchmarks.scenarios.latency import register
from benchmarks.scenarios.traffic import EventReporter, UpdateSender
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import Stage, stage, wait_for

NAME = "soak"
EVERY = 5.0
VICTIMS = ("web", "web worker", "supervisor", "dispatch", "jobs", "valkey", "postgres")


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    seconds = 20.0 if options.quick else options.minutes * 60
    with stage() as on:
        on.start_provider(policy="strict", latency="5-60", inbound="1-5", faults="0.02")
        on.start_web()
        on.start_worker()
        token, workspace_id = register(on)
        wait_for(lambda: bool(on.rows("SELECT 1 FROM senders WHERE source = 'environment'")), 20, "the bot's row")
        sender_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
        seeding = Seeding(on)
        chats = seeding.chats(workspace_id, sender_id, [700_000 + i for i in range(120)])
        people = seeding.people(workspace_id, sender_id, chats)
        audience = seeding.chats(workspace_id, sender_id, [900_000 + i for i in range(400)])
        reporter = EventReporter(on.port, token, people, 0.25)
        updates = UpdateSender(on.port, [chat.chat_id for chat in chats], 1.0)
        reporter.start()
        updates.start()
        kills, campaign = _kill(on, seeding, audience, seconds)
        for source in (reporter, updates):
            source.stop()
        settled = _settle(on)
        result.passes = _judge(on, result, reporter, updates, kills, campaign, sender_id)
        result.add("settled after the end", settled, "s")
    return result


def _kill(on: Stage, seeding: Seeding, audience: list[Chat], seconds: float) -> tuple[list[tuple[int, str]], list[str]]:
    """Kills for that long and seeds the campaign meanwhile; when and whom, and the campaign's texts."""
    dice = random.Random(11)  # noqa: S311 - the same order of victims in every run
    kills: list[tuple[int, str]] = []
    campaign: list[str] = []
    number = 0
    begun = time.monotonic()
    due = begun + EVERY
    while (now := time.monotonic()) < begun + seconds:
        on.revive()
        if now >= due:
            due += EVERY
            victim = dice.choice(VICTIMS)
            if _strike(on, victim):
                kills.append((time.monotonic_ns(), victim))
                _revive_server(on, victim)
        number += 1
        text = f"once {number}"
        try:
            if seeding.connection.closed:
                seeding.connection = on.connect()
            seeding.messages([audience[number % len(audience)]], [text], at_most_once=True)
            campaign.append(text)
        except psycopg.OperationalError:
            seeding.connection.close()  # perhaps it was stored: the checker finds rows, not intentions
        time.sleep(0.4)
    return kills, campaign


def _strike(on: Stage, victim: str) -> bool:
    """SIGKILL; False where the victim is not there at the moment."""
    if victim == "valkey":
        on.valkey.kill()
        return True
    if victim == "postgres":
        on.postgres.kill()
        return True
    try:
        if victim in ("web", "supervisor"):
            os.kill(on.pids("web" if victim == "web" else "worker")[0], signal.SIGKILL)
            return True
        if victim == "web worker":
            children = psutil.Process(on.pids("web")[0]).children()
        else:
            children = on.worker_children(victim)
        if not children:
            return False
        os.kill(children[0].pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def _revive_server(on: Stage, victim: str) -> None:
    """What whoever runs the servers does: starts them again, at once, at the same address."""
    if victim == "valkey":
        on.valkey.start()
    elif victim == "postgres":
        on.postgres.start()


def _settle(on: Stage) -> float:
    """Waits until nothing is left to do; the processes are kept running meanwhile."""

    def done() -> bool:
        on.revive()
        waiting = on.number("SELECT count(*) FROM webhook_events WHERE state = 'new'")
        return waiting == 0 and on.settled()

    return wait_for(done, 180, "the end of the traffic's work")


def _judge(
    on: Stage,
    result: Result,
    reporter: EventReporter,
    updates: UpdateSender,
    kills: list[tuple[int, str]],
    campaign: list[str],
    sender_id: int,
) -> list[dict[str, Any]]:
    entries = on.entries()
    rows = on.messages([sender_id])
    marked = checker.by_mark(entries)
    lost = [name for name in reporter.accepted if name not in marked]
    explained = {checker.mark(row.text) for row in rows if row.state in ("failed", "canceled")}
    once = [row for row in rows if row.at_most_once]
    verdict = checker.match([record for record in entries if record.text.startswith("once ")], once)
    stored = {row.text for row in once}
    lost_updates = updates.sent - on.number("SELECT count(*) FROM webhook_events WHERE state = 'done'")
    repeats = sum(len(times) > 1 for times in marked.values())
    result.add("events lost", len([name for name in lost if name not in explained]), "", 0)
    result.add(
        "campaign messages lost",
        len(verdict.lost) + len([record for record in campaign if record not in stored]),
        "",
        0,
    )
    result.add("doubled where forbidden", len(verdict.doubled), "", 0)
    result.add("contradictions between rows and provider", len(verdict.mistaken) + len(verdict.stray), "", 0)
    result.add("updates acknowledged and not processed", lost_updates, "", 0)
    result.add("messages neither out nor explained", sum(row.state == "queued" for row in rows), "", 0)
    events = sorted((at, marked[name][0]) for name, at in reporter.accepted.items() if name in marked)
    passes = _recoveries(kills, events, _replies(updates.begun, entries))
    for what, path in (("events", "recovery_s"), ("commands", "reply_s")):
        each = sorted(record[path] for record in passes)
        result.add(f"recovery of {what}: longest", max(each, default=0.0), "s", 10.0)
        result.add(f"recovery of {what}: median", percentile(each, 50) if each else 0.0, "s")
    for victim in VICTIMS:
        its = [record["recovery_s"] for record in passes if record["victim"] == victim]
        if its:
            result.add(f"recovery: longest of {len(its)} after {victim}", max(its), "s")
    result.add("kills", len(kills))
    result.add("events reported", len(reporter.accepted))
    result.add("updates", updates.sent)
    result.add("campaign messages", len(once))
    result.add("campaign messages whose outcome is shown as unknown", len(verdict.unknown))
    result.add("notifications said again where that is allowed", repeats)
    result.add("answers 429", sum(record.status == 429 for record in entries))
    if lost or verdict.lost or verdict.doubled or verdict.mistaken or verdict.stray:
        passes.append({"lost": lost[:50], "verdict": vars(verdict)})
    return passes


def _replies(begun: list[tuple[int, int]], entries: list[checker.Entry]) -> list[tuple[int, int]]:
    """When each command was first sent, and when its chat next got an answer."""
    answers: dict[int, list[int]] = {}
    for entry in entries:
        if (
            entry.accepted
            and entry.method == "sendMessage"
            and "«" not in entry.text
            and not entry.text.startswith("once ")
        ):
            answers.setdefault(entry.chat, []).append(entry.at)
    answered = [
        (at, min((answered_at for answered_at in answers.get(chat, ()) if answered_at > at), default=0))
        for at, chat in begun
    ]
    return sorted((at, answered_at) for at, answered_at in answered if answered_at)


def _recoveries(
    kills: list[tuple[int, str]], events: list[tuple[int, int]], replies: list[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Seconds from each kill to the first acceptance of an event, and of an answer, that was asked for after it."""
    each: list[dict[str, Any]] = []
    for at, victim in kills:
        accepted_at = [accepted for begun, accepted in events if begun > at]
        answered = [accepted for begun, accepted in replies if begun > at]
        if accepted_at and answered:  # otherwise the traffic ended with this kill
            each.append(
                {"victim": victim, "recovery_s": (min(accepted_at) - at) / 1e9, "reply_s": (min(answered) - at) / 1e9}
            )
    return each
