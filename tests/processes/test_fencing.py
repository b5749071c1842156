"""A process that was stopped past its lease, and goes on: what it still wants to say must not be said.

The message is of a kind that is never repeated. Its successor shows it as unknown; the late process stays silent. With
fencing off it would speak, and with the sweep off an update that woke nobody would wait for ever: both are shown here,
so that the other tests are known to be able to fail.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

SAY_ONCE = """
    from sqlalchemy import select
    from backend.channels.base import Content
    from backend.core.database import db, system_scope
    from backend.models import Conversation
    from backend.services import delivery
    with system_scope("test"):
        chat = db.session.execute(select(Conversation)).scalars().first()
        delivery.send(chat, Content("said once"), kind="campaign", at_most_once=True)
        db.session.commit()
"""


def start(installation: Installation, **environment: str) -> None:
    installation.start_web()
    installation.start_worker("jobs", name="jobs", **environment)
    installation.start_worker("dispatch", name="dispatch", **environment)
    installation.register()
    installation.register_webhook()


def said(installation: Installation) -> int:
    return sum(entry.get("text") == "said once" for entry in installation.box.accepted("sendMessage"))


def stop_at_the_write_and_take_over(installation: Installation, **environment: str) -> list[int]:
    """Stops the dispatcher right before it writes, and lets a successor settle the message."""
    children = installation.children("dispatch")
    wait_for(installation.settled, 20, "what linking has to say")
    installation.set_failpoints("delivery.before_write stop")
    installation.python(SAY_ONCE)
    stopped = wait_for(lambda: installation.stopped(children), 20, "the stop")
    installation.set_failpoints()
    installation.start_worker("dispatch", name="successor", **environment)
    wait_for(
        lambda: installation.rows("SELECT 1 FROM messages WHERE kind = 'campaign' AND state = 'unknown'"),
        30,
        "the successor's verdict",
    )
    assert said(installation) == 0
    return stopped


def go_on(stopped: list[int]) -> None:
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def test_a_process_stopped_past_its_lease_stays_silent_when_it_goes_on(installation: Installation) -> None:
    start(installation)
    installation.link()
    stopped = stop_at_the_write_and_take_over(installation)
    go_on(stopped)
    wait_for(lambda: "late_outcome_refused" in installation.log("dispatch"), 20, "the late process to be refused")
    assert said(installation) == 0
    assert installation.rows("SELECT state, error FROM messages WHERE kind = 'campaign'") == [
        ("unknown", "process_died")
    ]


def test_without_fencing_the_same_process_speaks(installation: Installation) -> None:
    start(installation, TEST_DISABLE="fencing")
    installation.link()
    stopped = stop_at_the_write_and_take_over(installation, TEST_DISABLE="fencing")
    go_on(stopped)
    wait_for(lambda: said(installation) == 1, 20, "the late message that fencing prevents")


def test_without_the_sweep_an_update_that_woke_nobody_waits_for_ever(installation: Installation) -> None:
    start(installation, TEST_DISABLE="sweep")
    person = installation.box.person("Sam")
    installation.set_failpoints("webhook.inserted_not_woken kill")
    installation.box.start(person)
    wait_for(lambda: installation.hits("webhook.inserted_not_woken") >= 1, 20, "the kill")
    installation.set_failpoints()
    installation.wait_for_web()
    began = time.monotonic()
    # Several rounds of a process whose sweep is on.
    while time.monotonic() - began < 3:
        assert installation.rows("SELECT state FROM webhook_events") == [("new",)]
        installation.http.get(f"{installation.url}/health", timeout=60)
    assert installation.box.accepted("sendMessage") == []
