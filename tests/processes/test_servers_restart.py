"""The servers go away and come back, empty or not, while everything runs: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.test_crashes import judge, report
from tests.support.databases import migrate
from tests.support.installation import Installation, wait_for
from tests.support.servers import EmbeddedPostgres, EmbeddedValkey

pytestmark = pytest.mark.slow


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    postgres = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    valkey = EmbeddedValkey(tmp_path / "valkey", persist=False)
    postgres.start()
    valkey.start()
    try:
        yield postgres, valkey
    finally:
        valkey.stop()
        postgres.stop()


@pytest.fixture
def running(
    servers: tuple[EmbeddedPostgres, EmbeddedValkey], environment: dict[str, str], tmp_path: Path
) -> Iterator[Installation]:
    postgres, valkey = servers
    migrate(postgres.url)
    made = Installation(environment | {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}, tmp_path)
    try:
        made.start_web()
        made.start_worker()
        made.register()
        made.register_webhook()
        made.link()
        yield made
    finally:
        made.stop()


def test_valkey_emptied_and_restarted_costs_no_message(
    running: Installation, servers: tuple[EmbeddedPostgres, EmbeddedValkey]
) -> None:
    _, valkey = servers
    names = [report(running, 0)]
    valkey.flush()
    names.append(report(running, 1))
    valkey.stop()
    names += [report(running, number) for number in (2, 3)]
    person = running.box.person("Kim")
    running.box.start(person)
    wait_for(lambda: running.box.transcript(person)[1:], 40, "an answer while Valkey is away")
    valkey.start()
    names.append(report(running, 4))
    wait_for(running.settled, 40, "everything to be said")
    verdict = judge(running, names)
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == ([], [], [])


def test_postgres_restarted_costs_no_message(
    running: Installation, servers: tuple[EmbeddedPostgres, EmbeddedValkey]
) -> None:
    postgres, _ = servers
    names = [report(running, 0)]
    postgres.stop()
    refused = running.http.get(
        f"{running.url}/api/telegram/status", headers={"Authorization": f"Bearer {running.token}"}, timeout=20
    )
    assert refused.status_code == 503
    assert refused.json()["error"]["code"]
    person = running.box.person("Kim")
    running.box.start(person)
    postgres.start()
    wait_for(lambda: running.http.get(f"{running.url}/health/ready", timeout=60).status_code == 200, 40, "readiness")
    names += [report(running, number) for number in (1, 2)]
    wait_for(lambda: running.box.transcript(person)[1:], 60, "the answer to what arrived meanwhile")
    wait_for(running.settled, 40, "everything to be said")
    verdict = judge(running, names)
    assert verdict.lost == []
    assert verdict.unexplained == []
