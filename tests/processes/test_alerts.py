"""Alerts through real processes: storms, groups, races and kills, judged by what Telegram shows in the end."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import DEMO_TOKEN

pytestmark = pytest.mark.slow

STORM = int(os.environ.get("ALERT_STORM", "1500"))
GROUP = int(os.environ.get("ALERT_GROUP", "120"))
"""`bin/bench kills` asks for 10,000 and 500; the services' tests have as many within one process."""


@pytest.fixture
def running(installation: Installation) -> Installation:
    """An installation whose environment's bot says alerts in a group, in which the admin is linked."""
    box = installation.box
    group = box.group("Ops", creator=box.person("Olu"), bots=[DEMO_TOKEN])
    installation.environment |= {"TELEGRAM_CHAT_IDS": str(group["id"])}
    installation.start_web()
    installation.start_worker("dispatch", "jobs")
    installation.register()
    installation.register_webhook()
    person = installation.link()
    box.member(group, person, "member")
    installation.group, installation.person = group, person  # type: ignore[attr-defined]
    return installation


def said(running: Installation) -> list[dict[str, Any]]:
    """What stands in the group, as its members see it."""
    found: list[dict[str, Any]] = running.box.transcript(running.group)  # type: ignore[attr-defined]
    return [message for message in found if message.get("text")]


def text_of(running: Installation) -> str:
    return "\n".join(message["text"] for message in said(running))


Post = Callable[[str, dict[str, Any]], tuple[int, Any]]
"""Sends a JSON body to a path as the admin; returns the status and the answer."""


@contextmanager
def connection_to(running: Installation) -> Iterator[Post]:
    """One kept connection to the web process, which costs less than a session of `requests` at thousands of calls."""
    connection = HTTPConnection("127.0.0.1", running.port, timeout=60)
    headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"}

    def post(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    try:
        yield post
    finally:
        connection.close()


def in_threads(running: Installation, work: Callable[[int, Post], None], count: int, threads: int = 4) -> None:
    """Calls `work(number, post)` for each number, in several threads with a connection each."""
    failures: list[BaseException] = []

    def run(first: int) -> None:
        try:
            with connection_to(running) as post:
                for number in range(first, count, threads):
                    work(number, post)
        except BaseException as error:
            failures.append(error)
            raise

    started = [threading.Thread(target=run, args=(first,)) for first in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert failures == []


def test_a_storm_of_identical_alerts_is_one_message_with_the_right_count(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"title": "Queue is stuck", "message": "Nothing moves", "severity": "critical"}
    decisions: dict[str, int] = {}
    guard = threading.Lock()

    def repeat(_number: int, post: Post) -> None:
        status, answer = post("/api/alerts", body)
        assert status == 202, answer
        with guard:
            decision = answer["decision"]
            decisions[decision] = decisions.get(decision, 0) + 1

    started = time.monotonic()
    in_threads(running, repeat, STORM)
    took = time.monotonic() - started
    wait_for(lambda: f"×{STORM:,}" in text_of(running), 60, "the right count")
    wait_for(running.settled, 30, "the records")
    edits = len(running.box.accepted("editMessageText"))
    with capsys.disabled():
        print(f"\n{STORM} identical alerts in {took:.1f} s ({STORM / took:.0f}/s), {edits} edits, {decisions}")
    # A machine that takes longer than the throttle's minute says it once more in each, as it should.
    sent = decisions["sent"]
    assert decisions == {"sent": sent, "counted": STORM - sent}
    assert 1 <= sent <= 1 + took // 60
    assert running.rows("SELECT count, (SELECT count(*) FROM alerts) FROM alert_items") == [(STORM, 1)]
    assert edits < took / 2 + 10
    if took < 60:
        assert len(said(running)) == 1


def test_all_of_a_large_group_are_listed_whatever_dies(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {"name": "All", "group_by": ["service"], "group_wait": 2}
    running.api("POST", "/api/alerts/policies", policy, status=201)

    def report(number: int, post: Post) -> None:
        name = f"host-{number:03}"
        body = {
            "title": f"«{name}» is down",
            "message": f"No answer.\nمرحبا 👨‍👩‍👧 <b>{name}",
            "labels": {"service": "web"},
        }
        status, answer = post("/api/alerts", body)
        assert status == 202, answer

    step = "alerts.stepped_not_committed"
    kills = ("delivery.accepted_not_recorded", "delivery.recorded_not_committed")
    running.set_failpoints(f"{step} kill", f"{kills[0]} kill")
    in_threads(running, report, GROUP)
    running.wait_for_hit(step, 0)
    running.set_failpoints(f"{kills[0]} kill")
    running.wait_for_hit(kills[0], 1)
    running.set_failpoints(f"{kills[1]} kill")
    running.wait_for_hit(kills[1], 0)
    running.set_failpoints()
    wait_for(lambda: f"{GROUP} of {GROUP} still firing" in text_of(running), 120, "the newest text")
    wait_for(running.settled, 120, "everything to be said")
    # What a kill doubled is an older copy of a part; the newest message of each part is the one that is edited.
    # Only the alert's message has more parts than one; the answers in the person's chat are told apart by that.
    alert = "SELECT message_id FROM message_parts WHERE part = 1"
    parts = dict(running.rows(f"SELECT part, external_id FROM message_parts WHERE message_id = ({alert})"))
    newest = {str(message["message_id"]): message["text"] for message in said(running)}
    whole = "\n".join(newest[external] for external in parts.values())
    names = [f"host-{number:03}" for number in range(GROUP)]
    with capsys.disabled():
        print(f"\n{GROUP} in {len(parts)} parts, {sum(map(running.hits, kills))} kills of the dispatcher")
    assert [name for name in names if whole.count(f"«{name}» is down") != 1] == []
    assert [name for name in names if not re.search(rf"«{name}» is down[^«]*No answer\.[^«]*{name}", whole)] == []


@pytest.mark.parametrize(
    "failpoint", ["intake.processed_not_committed", "delivery.accepted_not_recorded", "delivery.claimed"]
)
def test_a_press_survives_a_kill_between_the_button_and_the_edit(running: Installation, failpoint: str) -> None:
    running.api("POST", "/api/alerts", {"title": "Disk full", "severity": "critical"}, status=202)
    wait_for(lambda: said(running), 30, "the alert")
    wait_for(running.settled, 20, "the record")
    running.set_failpoints(f"{failpoint} kill")
    message = said(running)[0]
    button = next(
        one["callback_data"]
        for row in message["reply_markup"]["inline_keyboard"]
        for one in row
        if one.get("callback_data", "").startswith("alert:ack:")
    )
    before = running.hits(failpoint)
    running.box.press(running.person, message, data=button, chat=running.group["id"])  # type: ignore[attr-defined]
    running.wait_for_hit(failpoint, before)
    running.set_failpoints()
    wait_for(lambda: "Acknowledged by Ada" in text_of(running), 60, "the message to say it")
    wait_for(running.settled, 40, "the records")
    (state,) = running.rows("SELECT state, by_name FROM alerts")
    assert state == ("acknowledged", "Ada")
    traced = running.rows("SELECT count(*) FROM alert_events WHERE what = 'acknowledged'")
    assert traced == [(1,)], "it happened once"
    assert len(said(running)) == 1


def test_when_presses_and_reports_race_the_message_shows_the_final_state(running: Installation) -> None:
    running.api("POST", "/api/alerts", {"title": "Disk full"}, status=202)
    wait_for(lambda: said(running), 30, "the alert")
    alert_id = running.rows("SELECT id FROM alerts")[0][0]
    actions = ("ack", "unack", "snooze", "wake")

    def act(number: int, post: Post) -> None:
        if number % 2:
            status, answer = post("/api/alerts", {"title": "Disk full"})
        else:
            status, answer = post(f"/api/alerts/{alert_id}/{actions[number // 2 % 4]}", {})
        assert status in (200, 202), answer

    in_threads(running, act, 120)
    running.api("POST", f"/api/alerts/{alert_id}/ack")
    wait_for(lambda: "×61" in text_of(running) and "Acknowledged by Ada" in text_of(running), 60, "the final state")
    wait_for(running.settled, 30, "the records")
    assert len(said(running)) == 1


def test_alerts_get_through_while_redis_is_away(running: Installation) -> None:
    """Waits, counts and edits are rows: the sweep steps them where no job can be enqueued."""
    running.kill("worker")
    running.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    running.start_worker("dispatch", "jobs")
    policy = {"name": "All", "group_by": ["service"], "group_wait": 1}
    running.api("POST", "/api/alerts/policies", policy, status=201)
    for name in ("a", "b"):
        body = {"title": f"{name} is down", "labels": {"service": "web"}}
        running.api("POST", "/api/alerts", body, status=202)
    wait_for(lambda: "2 of 2 still firing" in text_of(running), 60, "the group")
