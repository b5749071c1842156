"""The worker's processes: they end with their parent, in good order when asked, and the dead are replaced."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Delivery
from backend.services import intake
from backend.workers import launching
from tests.support import factories
from tests.support.installation import wait_for
from tests.support.servers import EmbeddedValkey
from tests.workers.conftest import PATIENCE, Workers, command_of, is_alive


def at_once(workers: Workers, pid: int) -> bool:
    return True


def running_our_script(workers: Workers, pid: int) -> bool:
    if not launching.FORKS:
        return "--child" in command_of(pid)
    return Path(f"/proc/{pid}/comm").read_text().strip() == launching.process_name("jobs")


def at_work(workers: Workers, pid: int) -> bool:
    store = redis.Redis.from_url(workers.environment["REDIS_URL"])
    try:
        return any(store.hget(key, "pid") == str(pid).encode() for key in store.scan_iter("rq:worker:*"))
    finally:
        store.close()


def waits_for_a_job(workers: Workers, pid: int) -> bool:
    """Whether it is at work and has none: RQ says with a traceback that Redis went away under one."""
    store = redis.Redis.from_url(workers.environment["REDIS_URL"])
    try:
        own = [key for key in store.scan_iter("rq:worker:*") if store.hget(key, "pid") == str(pid).encode()]
        idle = any(store.hget(key, "state") == b"idle" for key in own)
        return idle and not any(store.llen(key) for key in store.scan_iter("rq:queue:*"))
    finally:
        store.close()


def wait_until_at_work(workers: Workers, pid: int) -> None:
    wait_for(lambda: at_work(workers, pid), PATIENCE, "the worker to be at work")


@pytest.mark.parametrize("moment", [at_once, running_our_script, at_work])
def test_a_child_ends_with_its_parent_whenever_that_is_killed(workers, moment: Callable[[Workers, int], bool]):
    parent = workers.start("jobs")
    (child,) = workers.wait_for_children(parent, 1)
    wait_for(lambda: moment(workers, child), PATIENCE, "the moment")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(60)
    wait_for(lambda: not is_alive(child), PATIENCE, "the child's end")


def test_a_child_whose_parent_is_not_the_one_it_was_started_by_ends_at_once(workers):
    orphan = workers.start("--child", "jobs", "--parent", "1")
    assert orphan.wait(PATIENCE) == 1
    assert workers.log() == ""


def test_a_child_in_the_middle_of_a_job_ends_with_its_parent_too(app, workers):
    stored_event()
    workers.failpoints.write_text("intake.claimed delay 200000")
    parent = workers.start("intake")
    (child,) = workers.wait_for_children(parent, 1)
    wait_for(lambda: "intake.claimed" in hits(workers), PATIENCE, "the job")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(60)
    wait_for(lambda: not is_alive(child), PATIENCE, "the child's end, before that of its job")


def test_sigterm_ends_everything_in_good_order(workers):
    parent = workers.start()
    children = workers.wait_for_children(parent, 2)
    wait_for(lambda: any(at_work(workers, pid) for pid in children), PATIENCE, "the worker to be at work")
    parent.terminate()
    assert parent.wait(PATIENCE) == 0, workers.log()
    assert not any(is_alive(pid) for pid in children)
    store = redis.Redis.from_url(workers.environment["REDIS_URL"])
    assert store.smembers("rq:workers") == set(), "the worker has signed off"
    store.close()


def test_sigterm_lets_a_job_end(app, workers):
    stored_event()
    workers.failpoints.write_text("intake.claimed delay 1500")
    parent = workers.start("intake")
    wait_for(lambda: "intake.claimed" in hits(workers), PATIENCE, "the job")
    parent.terminate()
    assert parent.wait(PATIENCE) == 0, workers.log()
    with psycopg.connect(workers.environment["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT state, attempts FROM webhook_events").fetchall() == [("ignored", 1)]


@pytest.mark.parametrize("role", ["dispatch", "jobs"])
def test_a_child_that_is_asked_ends_with_status_zero_and_is_replaced(workers, role):
    parent = workers.start(role, LOG_LEVEL="INFO")
    (child,) = workers.wait_for_children(parent, 1)
    if role == "jobs":
        wait_until_at_work(workers, child)
    wait_for(lambda: listens(child), PATIENCE, "the child to listen for signals")
    os.kill(child, signal.SIGTERM)
    wait_for(lambda: workers.children(parent) not in ([], [child]), PATIENCE, "another child")
    assert any('"status": 0' in line or "status=0" in line for line in workers.log().splitlines()), workers.log()


def listens(pid):
    """Whether a process takes SIGTERM itself (it blocks it, and waits for it); before, the kernel just ends it."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True  # Not Linux: nothing to look at, and the others' start-up time has to do.
    blocked = next(line for line in status.read_text().splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked.split()[1], 16) & (1 << (signal.SIGTERM - 1)))


def test_a_dead_child_is_replaced_and_the_others_go_on(workers):
    parent = workers.start("dispatch", "jobs")
    first, second = workers.wait_for_children(parent, 2)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(now := set(workers.children(parent))) == 2 and first not in now, PATIENCE, "another child")
    assert second in workers.children(parent)


def test_the_one_in_its_place_goes_on_before_the_dead_ones_leases_run_out(app, workers):
    """With leases of ten minutes nobody could wait for their end."""
    with system_scope("test"):
        home = factories.workspace()
        bot = factories.bot(home)
        db.session.add(waiting_operation(home, bot))
        db.session.commit()
    parent = workers.start("dispatch", TEST_LEASE_SECONDS="600")
    (child,) = workers.wait_for_children(parent, 1)
    first = wait_for(lambda: lease_of(workers, bot.id), PATIENCE, "the lease")
    os.kill(child, signal.SIGKILL)

    def taken_over():
        lease = lease_of(workers, bot.id)
        return lease is not None and lease[1] > first[1] and lease[0] not in ("", first[0])

    wait_for(taken_over, PATIENCE, "the successor's lease")


def waiting_operation(home, bot):
    """Something due that nobody can send: the sender stays in need."""
    return Delivery(
        workspace_id=home.id, sender_id=bot.id, operation="answer_callback", lane=0, due_at=clock.now(), payload={}
    )


def lease_of(workers, sender_id):
    with psycopg.connect(workers.environment["DATABASE_URL"]) as connection:
        query = "SELECT owner, epoch FROM sender_leases WHERE sender_id = %s AND until > clock_timestamp()"
        return connection.execute(query, (sender_id,)).fetchone()


def test_a_worker_ends_in_good_order_while_redis_is_away(workers, tmp_path):
    own = EmbeddedValkey(tmp_path / "valkey", persist=False)
    workers.environment = workers.environment | {"REDIS_URL": own.start()}
    try:
        parent = workers.start("jobs")
        (child,) = workers.wait_for_children(parent, 1)
        wait_for(lambda: waits_for_a_job(workers, child), PATIENCE, "the worker to wait for a job")
    finally:
        own.stop()
    wait_for(lambda: "redis_away" in workers.log(), PATIENCE, "the worker to notice")
    parent.terminate()
    assert parent.wait(PATIENCE) == 0, workers.log()
    assert "worker_killed" not in workers.log()
    assert "Traceback" not in workers.log()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DATABASE_URL", ""), ("DATABASE_URL", "mysql://x"), ("ENCRYPTION_KEYS", "short"), ("MEDIA_URL", "ftp://x/y")],
)
def test_a_start_that_cannot_succeed_says_so_once_and_ends(workers, variable, value):
    parent = workers.start(**{variable: value})
    assert parent.wait(PATIENCE) == 2
    (line,) = workers.log().splitlines()
    assert line.startswith("worker.py: ")
    assert variable in line
    assert not value or value not in line.replace("ftp://", "")


def test_a_child_that_cannot_start_ends_the_whole_with_one_explanation(workers, tmp_path):
    """Something that only the child finds out; here a part of the product is missing."""
    missing = "backend.services.dispatch.dispatcher" if launching.FORKS else "backend.workers.application"
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
    parent = workers.start("jobs", PYTHONPATH=str(tmp_path))
    assert parent.wait(PATIENCE) == 1
    assert workers.log().count("Traceback") <= 1
    assert "worker_cannot_start" in workers.log()


def test_an_unknown_role_is_refused(workers):
    parent = workers.start("nonsense")
    assert parent.wait(PATIENCE) == 2
    assert "unknown role nonsense; there are: dispatch jobs" in workers.log()


def stored_event() -> None:
    bot = factories.bot(factories.workspace())
    db.session.commit()
    intake.store(bot, json.dumps({"update_id": 5, "poll": {"id": "1"}}).encode())
    db.session.commit()


def hits(workers: Workers) -> str:
    path = workers.failpoints.with_name("failpoints.hits")
    return path.read_text() if path.exists() else ""
