"""Named places where a test can kill, stop or delay the process. Off unless `FAILPOINTS_FILE` is set.

The file holds one rule a line: `name action [argument] [once]`, with the actions `kill` (SIGKILL), `stop`
(SIGSTOP), `delay` (argument in milliseconds) and `error`. A rule with a probability is `name@0.2 kill`. Each hit
that acts is appended to `<file>.hits` before it acts, so that a checker can count what really happened.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from backend.core import config

NAMES = (
    "webhook.received_not_stored",
    "webhook.inserted_not_woken",
    "intake.claimed",
    "intake.stored_not_processed",
    "intake.processed_not_committed",
    "delivery.inserted_not_woken",
    "delivery.claimed",
    "delivery.before_write",
    "delivery.accepted_not_recorded",
    "delivery.recorded_not_committed",
    "delivery.committed",
    "mail.accepted_not_recorded",
    "outgoing.answered_not_recorded",
    "post.begun_not_published",
    "post.published_not_recorded",
    "files.claimed",
    "files.stored_not_recorded",
    "files.recorded_not_committed",
    "lease.before_renew",
    "sessions.before_connect",
    "sessions.fetched_not_stored",
    "sessions.stored_not_committed",
    "sessions.stored",
    "sessions.answered",
    "sessions.login_answered",
    "sessions.lookup_answered",
    "sweep.started",
    "alerts.stepped_not_committed",
    "alerts.silence_begun",
    "contacts.batch_not_committed",
    "contacts.batch_committed",
    "campaign.launched_not_committed",
    "campaign.released_not_committed",
    "campaign.released",
    "campaign.outcome_not_committed",
    "channel_setup.renewed_not_stored",
    "inbox.due_not_committed",
    "scheduling.claimed",
    "scheduling.fired_not_committed",
    "scheduling.taken",
    "scheduling.carried_out_not_committed",
)
"""Every failpoint of the product; `hit` refuses others so that a test cannot wait for one that is gone."""


class FailpointError(RuntimeError):
    """Raised by the action `error`."""


def _off(name: str) -> None:
    """Does nothing: failpoints are off in production."""


def _build(path: str) -> Callable[[str], None]:
    dice = random.SystemRandom()  # a process that was forked does not repeat what its siblings drew

    def act(name: str) -> None:
        if name not in NAMES:
            raise ValueError(f"unknown failpoint {name}")
        try:
            with open(path, encoding="ascii") as handle:
                rules = handle.read().split("\n")
        except FileNotFoundError:
            return
        for rule in rules:
            parts = rule.split()
            if len(parts) < 2:
                continue
            target, _, chance = parts[0].partition("@")
            if target != name or (chance and dice.random() >= float(chance)):
                continue
            _do(path, name, parts[1], parts[2] if len(parts) > 2 else "")
            return

    return act


def _do(path: str, name: str, action: str, argument: str) -> None:
    with open(path + ".hits", "a", encoding="ascii") as handle:
        handle.write(f"{name} {action} {os.getpid()} {time.time():.6f}\n")
    if action in ("kill", "stop"):
        os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
        # The signal is the process's and may reach this thread some moments later: it must not run on meanwhile.
        time.sleep(0.2)
    elif action == "delay":
        time.sleep(float(argument) / 1000)
    elif action == "error":
        raise FailpointError(name)


_file = config.test_env("FAILPOINTS_FILE")
hit: Callable[[str], None] = _build(_file) if _file else _off
