"""The web process as the Procfile starts it: it ends in order, a dead worker comes back, none is left behind."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.installation import Installation, wait_for
from tests.support.serving import Listener, hear, say

pytestmark = pytest.mark.slow
FORKED = False


def test_sigterm_ends_streams_and_half_sent_requests_and_then_the_process(installation: Installation) -> None:
    installation.start_web()
    installation.register()
    bearer = {"Authorization": f"Bearer {installation.token}"}
    streams = [Listener(installation.port, **bearer) for _ in range(20)]
    for stream in streams:
        stream.until("ready")
    address = f"ws://127.0.0.1:{installation.port}/api/live"
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(address, additional_headers=bearer)) for _ in range(5)]
        _end(installation, streams, sockets)


def _end(installation: Installation, streams: list[Listener], sockets: list[ClientConnection]) -> None:
    for client in sockets:
        assert json.loads(client.recv(60))["type"] == "ready"
    credentials = f"Authorization: Bearer {installation.token}\r\n".encode()
    head = b"POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
    half = say(installation.port, head + credentials + b"\r\nhalf")
    strangers = say(installation.port, head + b"\r\nhalf")
    headers_only = say(installation.port, b"GET /health HTTP/1.1\r\nHost: x\r\n")
    web = installation.processes["web"]
    web.send_signal(signal.SIGTERM)
    for stream in streams:
        assert stream.until("bye")["reason"] == "server_stopping"
        assert stream.next() == {}
    for client in sockets:
        assert json.loads(client.recv(60)) == {"type": "bye", "reason": "server_stopping"}
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert hear(half).startswith(b"HTTP/1.1 408 ")
    assert hear(strangers).startswith(b"HTTP/1.1 401 ")
    assert hear(headers_only) == b""
    # Without the order of things it would wait for its streams, twenty seconds.
    assert web.wait(18) in (0, -signal.SIGTERM)
    assert "rror" not in installation.log("web")


def test_a_client_that_does_not_read_holds_up_no_stop(installation: Installation) -> None:
    installation.start_web()
    installation.register()
    stuck = Listener(installation.port, Authorization=f"Bearer {installation.token}")
    stuck.until("ready")
    values = "SELECT %s, 'messages', json_build_object('message_id', n)::jsonb, now() FROM generate_series(1, 1500) n"
    insert = f"INSERT INTO live_events (workspace_id, topic, ids, at) {values} RETURNING id"
    home = installation.rows("SELECT min(id) FROM workspaces")[0][0]
    for _ in range(60):
        assert installation.rows(insert, home)
    web = installation.processes["web"]
    web.send_signal(signal.SIGTERM)
    assert web.wait(18) in (0, -signal.SIGTERM)
    stuck.close()


def test_a_dead_worker_comes_back_and_none_outlives_the_web_process(installation: Installation) -> None:
    installation.environment["WEB_CONCURRENCY"] = "2"
    installation.start_web()
    parent = psutil.Process(installation.processes["web"].pid)

    def workers() -> set[int]:
        return {child.pid for child in parent.children() if is_worker(child)}

    first = wait_for(lambda: workers() if len(workers()) == 2 else set(), 30, "two workers")
    installation.register()
    os.kill(min(first), signal.SIGKILL)
    again = wait_for(lambda: workers() if len(workers() - {min(first)}) == 2 else set(), 30, "another worker")
    assert max(first) in again
    wait_for(lambda: installation.api("GET", "/api/auth/me")["id"], 10, "an answer")

    stream = Listener(installation.port, Authorization=f"Bearer {installation.token}")
    stream.until("ready")
    installation.kill("web")
    assert stream.until("bye")["reason"] == "server_stopping"
    wait_for(lambda: not any(is_alive(pid) for pid in again), 10, "the workers to end")


def is_worker(process: psutil.Process) -> bool:
    """Whether it is one of the server's workers; multiprocessing has a helper of its own beside them."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def is_alive(pid: int) -> bool:
    """Whether it still runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
