"""600 messages of one bot against a provider that counts a strict sliding second and blocks a bot that goes over it,
and against a token bucket. In the same run one chat that may be written to once a second, and a group with 20 a minute.
"""

from __future__ import annotations

import itertools
import subprocess
from typing import Any

from benchmarks import checker
from benchmarks.policies import BOT_RATE
from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, stage, wait_for

NAME = "pace"
DELAYS = {"latency": "20-120", "inbound": "1-9"}
"""ms. The way there varies by 8 ms, the whole by 100."""


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    wide = 150 if options.quick else 600
    with stage() as on:
        on.start_provider()
        result.passes.append({"ceiling": on.ceiling()})
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        on.start_worker()
        warm_up(on, seeding, workspace_id)
        for number, policy in itertools.product(range(options.passes), ("blocking", "bucket")):
            result.passes.append(_pass(on, seeding, workspace_id, policy, wide, tail=not options.quick and number == 0))
        result.passes.append(_peer(on, wide))
    by_policy = {
        name: [figures for figures in result.passes if figures.get("policy") == name and figures["by"] == "product"]
        for name in ("blocking", "bucket")
    }
    strict, bucket = by_policy["blocking"], by_policy["bucket"]
    result.add("strict, blocking: of the limit", median_of(strict, "ratio"), "", 0.97, "more")
    result.add("strict, blocking: worst pass", min(figures["ratio"] for figures in strict), "")
    result.add("token bucket: of the limit", median_of(bucket, "ratio"), "", 0.99, "more")
    product = strict + bucket
    result.add("answers 429, all passes", sum(figures["refused"] for figures in product), "", 0)
    result.add("limits exceeded by the log (strict passes)", sum(figures["over_paced"] for figures in strict), "", 0)
    result.add("lost or doubled, all passes", sum(not figures["sound"] for figures in product), "", 0)
    peer = result.passes[-1]
    result.add("python-telegram-bot's AIORateLimiter: of the limit", peer["ratio"])
    result.add("python-telegram-bot's AIORateLimiter: answers 429", peer["refused"])
    return result


def warm_up(on: Stage, seeding: Seeding, workspace_id: int) -> None:
    """Has the worker say something, so that its start is not part of what is measured."""
    sender_id, bot = seeding.bot(workspace_id)
    seeding.messages(seeding.chats(workspace_id, sender_id, [5001, 5002]), [f"warm {bot} 1", f"warm {bot} 2"])
    wait_for(on.settled, 60, "the worker's first messages")


def _pass(on: Stage, seeding: Seeding, workspace_id: int, policy: str, wide: int, *, tail: bool) -> dict[str, Any]:
    sender_id, bot = seeding.bot(workspace_id)
    chats = seeding.chats(workspace_id, sender_id, [10_000 + i for i in range(wide)] + [77, -5001])
    on.provider("reset")
    on.provider("set", policy=policy, **DELAYS)
    steady = [f"wide {bot} {i}" for i in range(wide)]
    seeding.messages(chats[-2:-1], [f"chat {bot} {i}" for i in range(12)], lane=1)
    # More than a minute's worth for the group where there is time to wait for it.
    seeding.messages(chats[-1:], [f"group {bot} {i}" for i in range(24 if tail else 15)], lane=1)
    seeding.messages(chats[:-2], steady)
    seeding.nudge()
    wait_for(on.settled, 180, "the messages of a pass")
    entries = [entry for entry in on.entries() if entry.bot == bot]
    verdict = checker.match(entries, on.messages([sender_id]))
    burst = BOT_RATE if policy == "bucket" else 0
    pace = checker.pace_of(entries, steady)
    return {
        "by": "product",
        "policy": policy,
        "ratio": pace.ratio,
        "ratio_with_burst": checker.pace_of(entries, steady, burst=burst).ratio,
        "seconds": pace.seconds,
        "refused": verdict.refused,
        "over_paced": len(checker.over_pacing(entries)),
        "sound": verdict.sound,
    }


def _peer(on: Stage, wide: int) -> dict[str, Any]:
    """python-telegram-bot with its own rate limiter, at its defaults, sending the same."""
    on.provider("reset")
    on.provider("set", policy="blocking", **DELAYS)
    process = on.peer("ptb_fanout", str(on.provider_port), str(wide), "--limited")
    assert process.stdout is not None
    process.stdout.readline()  # ready
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        on.end("ptb_fanout")
    entries = on.entries()
    pace = checker.pace_of(entries, {entry.text for entry in entries})
    return {
        "by": "python-telegram-bot",
        "policy": "blocking",
        "ratio": pace.ratio,
        "seconds": pace.seconds,
        "refused": sum(entry.status == 429 for entry in entries),
        "over_paced": len(checker.over_pacing(entries)),
    }
