"""SIGKILL at each step between an event and its message, many times, judged from outside.

The checker reads only what Telegram accepted and what the database holds: nothing is lost, a repetition happens only
where its kind allows one, and whatever is left says why. `test_the_tests_notice.py` shows that they can fail.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import pytest
import requests

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

HITS = int(os.environ.get("CRASH_KILLS", "4"))
"""At each failpoint; `bin/bench kills` asks for ten."""
DATA = {"platform": "x", "content": "crash"}


@dataclass
class Verdict:
    """What the checker found for one run of numbered events."""

    lost: list[str]
    doubled: list[str]
    unexplained: list[tuple[object, ...]]


def judge(installation: Installation, names: list[str]) -> Verdict:
    """Compares the names that were to be said with what was accepted and what the database still holds."""
    accepted: Counter[str] = Counter()
    for entry in installation.box.accepted("sendMessage"):
        for name in names:
            if f"«{name}»" in (entry.get("text") or ""):
                accepted[name] += 1
    left = installation.rows(
        "SELECT id, state, error FROM messages WHERE direction = 'out' AND state <> 'sent' AND state <> 'queued'"
    )
    waiting = installation.rows("SELECT id, state, reason FROM deliveries")
    return Verdict(
        lost=[name for name in names if accepted[name] == 0],
        doubled=[name for name in names if accepted[name] > 1],
        unexplained=[row for row in (*left, *waiting) if not row[2]],
    )


def report(installation: Installation, number: int) -> str:
    name = f"e{number}"
    event = {"type": "post_failure", "data": DATA | {"error": f"«{name}»"}}
    installation.api("POST", "/api/events", event, status=202)
    return name


@pytest.fixture
def running(installation: Installation) -> Installation:
    installation.start_web()
    installation.start_worker("dispatch", "jobs")
    installation.start_worker("dispatch", name="standby")
    installation.register()
    installation.register_webhook()
    installation.link()
    return installation


@pytest.mark.parametrize(
    ("failpoint", "may_double"),
    [
        ("delivery.claimed", True),
        ("delivery.accepted_not_recorded", True),
        ("delivery.recorded_not_committed", True),
    ],
)
def test_a_dispatcher_killed_at_any_step_loses_nothing(
    running: Installation, failpoint: str, may_double: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    running.set_failpoints(f"{failpoint} kill")
    names = []
    for number in range(HITS):
        names.append(report(running, number))
        before = running.hits(failpoint)
        running.wait_for_hit(failpoint, before)
    running.set_failpoints()
    wait_for(running.settled, 40, "everything to be said")
    verdict = judge(running, names)
    with capsys.disabled():
        print(f"\n{failpoint}: {running.hits(failpoint)} kills, {len(verdict.doubled)} of {len(names)} doubled, 0 lost")
    assert running.hits(failpoint) >= HITS
    assert verdict.lost == []
    assert verdict.unexplained == []
    assert may_double or verdict.doubled == []
    if failpoint == "delivery.claimed":
        assert verdict.doubled == [], "nothing was written before this kill"


def test_a_dispatcher_killed_between_the_steps_of_a_refused_message_loses_nothing(running: Installation) -> None:
    """The message is refused twice for what stands around its words, and its tries meet kills."""
    failpoint = "delivery.claimed"
    running.box.fault(
        "error", method="sendMessage", count=2, error_code=400, description="Bad Request: can't parse entities: x"
    )
    running.set_failpoints(f"{failpoint} kill")
    name = report(running, 0)
    for _ in range(3):
        running.wait_for_hit(failpoint, running.hits(failpoint))
    running.set_failpoints()
    wait_for(running.settled, 40, "everything to be said")
    verdict = judge(running, [name])
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == ([], [], [])
    (said,) = [one for one in running.box.accepted("sendMessage") if f"«{name}»" in (one.get("text") or "")]
    assert said["text"].startswith("❌")
    form = running.rows("SELECT body -> 'form' FROM messages WHERE direction = 'out' AND body ? 'form'")
    assert form, "the form was stored"


def test_a_web_process_killed_between_the_commit_and_the_wake_up_loses_nothing(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller gets no answer and repeats its request with the same key: said once all the same."""
    failpoint = "delivery.inserted_not_woken"
    names = []
    for number in range(HITS):
        name = f"e{number}"
        event = {"type": "post_failure", "data": DATA | {"error": f"«{name}»"}}
        running.set_failpoints(f"{failpoint} kill")
        with pytest.raises(requests.ConnectionError):
            running.api("POST", "/api/events", event, headers={"Idempotency-Key": name})
        running.set_failpoints()
        running.wait_for_web()
        running.api("POST", "/api/events", event, status=202, headers={"Idempotency-Key": name})
        names.append(name)
    wait_for(running.settled, 30, "everything to be said")
    verdict = judge(running, names)
    with capsys.disabled():
        print(f"\n{failpoint}: {running.hits(failpoint)} kills, {len(verdict.doubled)} doubled, 0 lost")
    assert running.hits(failpoint) >= HITS
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == ([], [], [])


@pytest.mark.parametrize("failpoint", ["intake.stored_not_processed", "intake.processed_not_committed"])
def test_an_intake_killed_at_any_step_answers_every_command_once_it_can(
    running: Installation, failpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [running.box.person(f"P{number}") for number in range(HITS)]
    for person in people:
        before = running.hits(failpoint)
        running.set_failpoints(f"{failpoint} kill")
        running.box.start(person)
        running.wait_for_hit(failpoint, before)
        running.set_failpoints()
    wait_for(running.settled, 40, "every command to be answered")
    answers = Counter(entry["chat_id"] for entry in running.box.accepted("sendMessage"))
    with capsys.disabled():
        print(f"\n{failpoint}: {running.hits(failpoint)} kills, {len(people)} commands, all answered once")
    assert running.hits(failpoint) >= HITS
    assert [answers[person["id"]] for person in people] == [1] * len(people)
    assert running.rows("SELECT id, state, error FROM webhook_events WHERE state = 'parked'") == []


def test_an_update_whose_web_process_died_before_waking_anyone_is_answered_once(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Telegram repeats what it got no answer to; the repetition is known and wakes nobody: the sweep finds it."""
    failpoint = "webhook.inserted_not_woken"
    people = [running.box.person(f"P{number}") for number in range(HITS)]
    for person in people:
        before = running.hits(failpoint)
        running.set_failpoints(f"{failpoint} kill")
        running.box.start(person)
        running.wait_for_hit(failpoint, before)
        running.set_failpoints()
        running.wait_for_web()
    wait_for(lambda: answered(running, people), 60, "every command to be answered")
    wait_for(running.settled, 20, "the records")
    answers = Counter(entry["chat_id"] for entry in running.box.accepted("sendMessage"))
    with capsys.disabled():
        print(f"\n{failpoint}: {running.hits(failpoint)} kills, {len(people)} updates, all answered once")
    assert [answers[person["id"]] for person in people] == [1] * len(people)


def answered(installation: Installation, people: list[dict[str, object]]) -> bool:
    reached = {entry["chat_id"] for entry in installation.box.accepted("sendMessage")}
    return all(person["id"] in reached for person in people)
