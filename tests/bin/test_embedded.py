"""The embedded servers: data that stays, addresses that stay, and no harm from a killed owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from embedded import EmbeddedPostgres, EmbeddedValkey, ServerError
from embedded.server import EmbeddedServer
from tests.bin.conftest import Started, eventually, is_gone

OWNER = str(Path(__file__).with_name("toy_owner.py"))


class Postgres:
    """How the tests use one kind of server."""

    make = staticmethod(lambda folder: EmbeddedPostgres(folder / "postgres", fsync=False))

    @staticmethod
    def write(url: str, value: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            connection.execute("INSERT INTO kept VALUES (%s)", [value])

    @staticmethod
    def read(url: str) -> list[str]:
        with psycopg.connect(url) as connection:
            return [row[0] for row in connection.execute("SELECT value FROM kept")]

    refused: tuple[type[Exception], ...] = (psycopg.OperationalError,)


class Valkey:
    """The same for Valkey."""

    make = staticmethod(lambda folder: EmbeddedValkey(folder / "valkey"))

    @staticmethod
    def write(url: str, value: str) -> None:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            client.rpush("kept", value)
            client.waitaof(1, 0, 5000)

    @staticmethod
    def read(url: str) -> list[str]:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            values: Any = client.lrange("kept", 0, -1)
            return list(values)

    refused: tuple[type[Exception], ...] = (redis.ConnectionError, redis.AuthenticationError)


@pytest.fixture(params=[Postgres, Valkey])
def kind(request: pytest.FixtureRequest) -> type[Postgres] | type[Valkey]:
    """Each kind of server in turn."""
    chosen: type[Postgres] | type[Valkey] = request.param
    return chosen


@pytest.fixture
def server(kind: type[Postgres] | type[Valkey], tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of that kind, started, and stopped at the end."""
    made: EmbeddedServer = kind.make(tmp_path)
    made.start()
    yield made
    made.stop()


Kind = type[Postgres] | type[Valkey]


def test_data_and_address_survive_a_restart(kind: Kind, server: EmbeddedServer) -> None:
    url = server.url
    kind.write(url, "before")
    assert server.restart() == url
    assert kind.read(url) == ["before"]


def test_data_and_address_survive_a_crash(kind: Kind, server: EmbeddedServer) -> None:
    url = server.url
    kind.write(url, "before")
    server.kill()
    assert server.pid is None
    with pytest.raises(kind.refused):
        kind.read(url)
    assert server.start() == url
    assert kind.read(url) == ["before"]


def test_a_later_owner_finds_the_data_at_the_same_address(kind: Kind, server: EmbeddedServer, tmp_path: Path) -> None:
    url = server.url
    kind.write(url, "before")
    server.stop()
    later = kind.make(tmp_path)
    assert later.start() == url
    assert kind.read(url) == ["before"]
    later.stop()


def test_starting_twice_is_one_server(server: EmbeddedServer) -> None:
    pid = server.pid
    assert server.start() == server.url
    assert server.pid == pid


def test_a_second_owner_is_told_who_runs_it(kind: Kind, server: EmbeddedServer, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=f"already run by process {os.getpid()}"):
        kind.make(tmp_path).start()
    assert server.pid is not None


def test_a_taken_port_is_left_to_its_owner(kind: Kind, server: EmbeddedServer, tmp_path: Path) -> None:
    url = server.url
    kind.write(url, "before")
    server.stop()
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        later = kind.make(tmp_path)
        try:
            assert later.start() != url
            assert kind.read(later.url) == ["before"]
        finally:
            later.stop()


def test_the_password_is_needed_and_stands_in_no_process_list(kind: Kind, server: EmbeddedServer) -> None:
    assert (server.data_dir / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(kind.refused):
        kind.read(server.url.replace(server.password, "wrong"))
    assert server.pid is not None
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert not any(server.password in line for line in command_lines(family))


def command_lines(processes: list[psutil.Process]) -> Iterator[str]:
    """What the process list shows of those that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            yield " ".join(process.cmdline())


def test_a_failed_start_says_what_the_server_said(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path / "valkey", databases=0)
    with pytest.raises(ServerError, match="must be between 1 and"):
        valkey.start()
    assert valkey.pid is None
    valkey = EmbeddedValkey(tmp_path / "valkey")
    valkey.start()
    valkey.stop()


def test_flush_forgets_every_database(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path / "valkey")
    url = valkey.start()
    Valkey.write(url, "one")
    Valkey.write(url.removesuffix("0") + "3", "two")
    valkey.flush()
    assert Valkey.read(url) == []
    assert Valkey.read(url.removesuffix("0") + "3") == []
    valkey.stop()


def test_a_process_id_that_now_belongs_to_another_program_does_not_matter(tmp_path: Path) -> None:
    """After a power cut the process id in postmaster.pid may be anybody's."""
    postgres = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    url = postgres.start()
    Postgres.write(url, "before")
    pid_file = postgres.working_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.kill()
    stranger = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert postgres.start() == url
        assert Postgres.read(url) == ["before"]
        assert stranger.poll() is None
    finally:
        postgres.stop()
        stranger.kill()
        stranger.wait()


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    Postgres.write(postgres.start(), "fresh")
    postgres.stop()
    assert not half.exists()


def test_servers_end_with_a_killed_owner(tmp_path: Path, start: Callable[..., Started]) -> None:
    owner = start(OWNER, str(tmp_path))
    eventually(lambda: owner.text.strip(), "both run")
    pids = [int(word) for word in owner.text.split()]
    family = [pid for pid in pids for pid in [pid, *(c.pid for c in psutil.Process(pid).children())]]
    owner.process.kill()
    eventually(lambda: all(is_gone(pid) for pid in family), "both have ended")


def test_servers_that_outlived_their_owner_are_replaced(tmp_path: Path, start: Callable[..., Started]) -> None:
    """The owner and its watchdog are gone; the servers still hold the data and the ports."""
    owner = start(OWNER, str(tmp_path))
    eventually(lambda: owner.text.strip(), "both run")
    pids = [int(word) for word in owner.text.split()]
    others = [process for process in psutil.Process(owner.process.pid).children() if process.pid not in pids]
    # What only prepared the start may still be ending.
    eventually(lambda: sum(not is_gone(process.pid) for process in others) == 1, "the watchdog alone is left")
    (watch,) = [process for process in others if not is_gone(process.pid)]
    watch.kill()
    owner.process.kill()
    owner.wait()
    eventually(lambda: is_gone(watch.pid), "the watchdog is gone")
    assert not any(is_gone(pid) for pid in pids)

    for kind in (Postgres, Valkey):
        server: EmbeddedServer = kind.make(tmp_path)
        kind.write(server.start(), "after")
        assert kind.read(server.url) == ["after"]
        server.stop()
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")
def test_root_changes_no_permissions_outside_the_data(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(closed / "postgres", fsync=False)
    Postgres.write(postgres.start(), "in a folder of root's")
    assert postgres.pid is not None
    process = psutil.Process(postgres.pid)
    assert process.uids().effective != 0
    assert closed.stat().st_mode & 0o777 == 0o700
    postgres.restart()
    assert Postgres.read(postgres.url) == ["in a folder of root's"]
    postgres.stop()


def test_stopping_ends_every_process_of_the_server(server: EmbeddedServer) -> None:
    assert server.pid is not None
    family = [server.pid, *(process.pid for process in psutil.Process(server.pid).children())]
    server.stop()
    eventually(lambda: all(is_gone(pid) for pid in family), "all have ended")
    os.kill(os.getpid(), signal.SIG_DFL)  # signal 0: this process was not touched
