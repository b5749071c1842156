"""The provider as a process, and a client that over-paces it: refused there, and caught by the checker from its log."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from benchmarks import checker

ROOT = Path(__file__).resolve().parents[2]


class Client:
    """Talks to the provider over one kept connection, as fast as it answers."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method: str, body: str, kind: str = "application/json") -> tuple[int, Any]:
        self._connection.request("POST", f"/bot42:token/{method}", body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def control(self, action: str, **options: str) -> Any:
        self._connection.request("GET", f"/control/{action}?{urlencode(options)}")
        return json.loads(self._connection.getresponse().read())

    def send(self, chat: int, text: str) -> tuple[int, Any]:
        return self.call("sendMessage", json.dumps({"chat_id": chat, "text": text}))


@pytest.fixture
def client() -> Iterator[Client]:
    command = [sys.executable, "-m", "benchmarks.provider", "--capacity", "1000"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        made = Client(json.loads(process.stdout.readline())["port"])
        yield made
        made._connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_it_answers_as_telegram_does_and_notes_what_it_accepted(client: Client, tmp_path: Path) -> None:
    assert client.call("getMe", "{}")[1]["result"]["id"] == 42
    status, said = client.send(7, "hello")
    assert (status, said["result"]["chat"]) == (200, {"id": 7, "type": "private"})
    form = urlencode({"chat_id": -9, "text": "grüße & mehr"})
    assert client.call("sendMessage", form, "application/x-www-form-urlencoded")[0] == 200
    assert client.control("log", path=str(tmp_path / "log"))["lines"] == 2
    first, second = checker.read_log(tmp_path / "log")
    assert (first.text, first.chat, first.message) == ("hello", 7, said["result"]["message_id"])
    assert (second.text, second.chat) == ("grüße & mehr", -9)
    assert first.at < second.at


def test_a_client_that_over_paces_is_refused_and_caught(client: Client, tmp_path: Path) -> None:
    client.control("set", policy="blocking")
    refused = [said for status, said in (client.send(100 + i, f"n{i}") for i in range(60)) if status == 429]
    assert refused
    assert refused[0]["parameters"]["retry_after"] == 1
    client.control("log", path=str(tmp_path / "log"))
    entries = checker.read_log(tmp_path / "log")
    rows = [checker.Row(i, one.text, "queued", None, waiting="paused") for i, one in enumerate(entries)]
    assert checker.match(entries, rows).refused == len(refused)
    # What was let through kept the limit, because the provider saw to it.
    assert checker.over_pacing(entries) == []


def test_a_lenient_provider_lets_it_through_and_the_checker_still_catches_it(client: Client, tmp_path: Path) -> None:
    for i in range(60):
        assert client.send(100 + i, f"n{i}")[0] == 200
    client.control("log", path=str(tmp_path / "log"))
    assert checker.over_pacing(checker.read_log(tmp_path / "log"))


def test_faults_are_what_they_are_in_the_log(client: Client, tmp_path: Path) -> None:
    client.control("set", faults="1")
    statuses = []
    for i in range(40):
        try:
            connection = Client(client._connection.port)
            connection._connection.request("POST", "/bot42:t/sendMessage", json.dumps({"chat_id": 7, "text": f"n{i}"}))
            statuses.append(connection._connection.getresponse().status)
        except (ConnectionError, http.client.HTTPException):
            statuses.append(0)
        finally:
            connection._connection.close()
    client.control("log", path=str(tmp_path / "log"))
    accepted = checker.read_log(tmp_path / "log")
    assert set(statuses) == {0, 500, 502}
    assert {one.status for one in accepted} == {-1}
    # Some were lost on their way and some only their answers: the client cannot tell, the log can.
    assert 0 < len(accepted) < statuses.count(0)
