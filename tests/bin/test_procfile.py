"""The runner behind bin/dev, over toy Procfiles: restarts, giving up, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.procfile import Deaths, parse
from tests.bin.conftest import ROOT, Started, eventually, is_gone

RUNNER = str(Path(__file__).with_name("toy_runner.py"))

Start = Callable[..., Started]


def pids(folder: Path, name: str) -> list[int]:
    """The processes that have written themselves down under a name, oldest first."""
    path = folder / f"{name}.pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def procfile(folder: Path, **commands: str) -> None:
    """Write a Procfile; `PID name` in a command stands for writing the shell's process id down."""
    lines = [f"{name}: {command}" for name, command in commands.items()]
    (folder / "Procfile").write_text("\n".join(lines) + "\n")


def lasting(name: str) -> str:
    """A command that writes its id down and stays."""
    return f"echo $$ >>{name}.pids; exec sleep 1000"


def test_commands_are_read_in_order_with_comments_left_out() -> None:
    assert list(parse("# what runs\n\nweb: serve --port ${PORT:-8000}\nworker-2:   work: hard\n").items()) == [
        ("web", "serve --port ${PORT:-8000}"),
        ("worker-2", "work: hard"),
    ]


def test_a_line_that_is_no_process_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse("web: serve\nnonsense\n")


@pytest.mark.parametrize(
    ("times", "verdicts"),
    [
        ([0, 1, 2, 3, 4], [False, False, False, False, True]),
        ([0, 20, 40, 59, 60], [False, False, False, False, False]),
        ([0, 20, 40, 59, 60, 61], [False, False, False, False, False, True]),
        ([0, 100, 200, 300, 400, 500], [False] * 6),
    ],
)
def test_five_deaths_within_a_minute_are_too_many(times: list[float], verdicts: list[bool]) -> None:
    deaths = Deaths()
    assert [deaths.too_many(now) for now in times] == verdicts


def test_a_dead_process_is_named_and_started_again(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, web=lasting("web"), worker=lasting("worker"))
    runner = start(RUNNER)
    eventually(lambda: pids(tmp_path, "web") and pids(tmp_path, "worker"), "both run")
    os.kill(pids(tmp_path, "web")[0], signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, "web")) == 2, "web runs again")
    assert "web was ended by SIGKILL, starting it again" in runner.text
    assert len(pids(tmp_path, "worker")) == 1, "the other one was left alone"


def test_a_server_that_died_is_brought_back(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, server=f"sh -c '{lasting('server')}'", web=lasting("web"))
    runner = start(RUNNER)
    eventually(lambda: pids(tmp_path, "server"), "the server runs")
    os.kill(pids(tmp_path, "server")[0], signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, "server")) == 2, "the server runs again")
    assert "server ended, starting it again" in runner.text


def test_the_fifth_death_stops_everything(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, broken="echo $$ >>broken.pids; exit 3", web=lasting("web"))
    runner = start(RUNNER)
    assert runner.wait() == 1
    assert len(pids(tmp_path, "broken")) == 5
    assert runner.text.count("broken ended with code 3") == 5
    assert all(is_gone(pid) for pid in pids(tmp_path, "web"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_leaves_nothing_behind(tmp_path: Path, start: Start, number: signal.Signals) -> None:
    grandchild = "trap '' TERM HUP; echo $$ >>grandchild.pids; while :; do sleep 1; done"
    (tmp_path / "grandchild.sh").write_text(grandchild)
    procfile(tmp_path, web=f"sh grandchild.sh & {lasting('web')}", worker=lasting("worker"))
    runner = start(RUNNER)
    names = ("web", "worker", "grandchild")
    eventually(lambda: all(pids(tmp_path, name) for name in names), "all run")
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever started this wants it to go on without a terminal, and what it starts inherits that")
    runner.process.send_signal(number)
    assert runner.wait() == 0
    left = [pid for name in names for pid in pids(tmp_path, name)]
    eventually(lambda: all(is_gone(pid) for pid in left), "a process that ignores SIGTERM is gone too")


def test_a_second_signal_kills_what_does_not_stop(tmp_path: Path, start: Start) -> None:
    (tmp_path / "stubborn.sh").write_text("trap '' TERM; echo $$ >>stubborn.pids; while :; do sleep 1; done")
    procfile(tmp_path, stubborn="sh stubborn.sh")
    runner = start(RUNNER)
    eventually(lambda: pids(tmp_path, "stubborn"), "it runs")
    runner.process.send_signal(signal.SIGINT)
    eventually(lambda: "stopping" in runner.text, "the first signal is taken")
    assert not is_gone(pids(tmp_path, "stubborn")[0])
    runner.process.send_signal(signal.SIGINT)
    assert runner.wait() == 0
    assert is_gone(pids(tmp_path, "stubborn")[0])
    assert "does not stop: killed" in runner.text


def test_children_end_when_the_runner_is_killed(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, web=f"sh -c '{lasting('grandchild')}' & {lasting('web')}", worker=lasting("worker"))
    runner = start(RUNNER)
    names = ("web", "worker", "grandchild")
    eventually(lambda: all(pids(tmp_path, name) for name in names), "all run")
    runner.process.kill()
    left = [pid for name in names for pid in pids(tmp_path, name)]
    eventually(lambda: all(is_gone(pid) for pid in left), "nothing is left")


def test_output_is_whole_lines_behind_the_name(tmp_path: Path, start: Start) -> None:
    (tmp_path / "talk.sh").write_text("printf 'one\\ntwo'; printf ' halves\\nlast'; touch said; exec sleep 1000")
    procfile(tmp_path, talker="sh talk.sh", other=lasting("other"))
    runner = start(RUNNER)
    eventually(lambda: (tmp_path / "said").exists() and pids(tmp_path, "other"), "it has spoken")
    runner.process.send_signal(signal.SIGTERM)
    assert runner.wait() == 0
    lines = [line for line in runner.text.splitlines() if line.startswith("talker")]
    assert lines == ["talker | one", "talker | two halves", "talker | last"]


def test_commands_get_the_environment_through_a_shell(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, web="sh -c 'echo $0 $1 >expanded.txt; exec sleep 1000' ${ABSENT:-fallback} $((1+1))")
    start(RUNNER)
    eventually(lambda: (tmp_path / "expanded.txt").exists(), "it runs")
    eventually(lambda: (tmp_path / "expanded.txt").read_text() == "fallback 2\n", "defaults are expanded")


def test_a_closed_output_stops_everything(tmp_path: Path) -> None:
    """As `bin/dev | head` does."""
    procfile(tmp_path, web="echo $$ >>web.pids; while echo again; do sleep 0.05; done")
    process = subprocess.Popen(
        [sys.executable, RUNNER],
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT / "bin")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: pids(tmp_path, "web"), "it runs")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) != 0
        eventually(lambda: is_gone(pids(tmp_path, "web")[0]), "its process is gone")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "asgi:app --host 0.0.0.0 --port 8000 --workers 1 "),
        (
            {"HOST": "127.0.0.1", "PORT": "5000", "WEB_CONCURRENCY": "3"},
            "asgi:app --host 127.0.0.1 --port 5000 --workers 3 ",
        ),
    ],
)
def test_the_projects_web_line_listens_where_it_is_told(variables: dict[str, str], expected: str) -> None:
    line = parse((ROOT / "Procfile").read_text())["web"]
    said = subprocess.run(
        ["/bin/sh", "-c", f'uvicorn() {{ echo "$@"; }}; {line}'],
        env={"PATH": os.defpath} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in said.stdout


def change(folder: Path, name: str) -> None:
    """Say that the code of a program has changed."""
    with (folder / "changes").open("a") as file:
        file.write(f"{name}\n")


def test_a_program_whose_code_changed_starts_again_without_counting_as_a_death(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, one=lasting("one"))
    runner = start(RUNNER)
    for count in range(1, 8):
        eventually(lambda count=count: len(pids(tmp_path, "one")) == count, f"start number {count}")  # type: ignore[misc]
        change(tmp_path, "one")
    eventually(lambda: len(pids(tmp_path, "one")) == 8, "the last start")
    assert all(is_gone(pid) for pid in pids(tmp_path, "one")[:-1])
    assert "starting it again" not in runner.text
    assert runner.process.poll() is None


def test_a_program_that_does_not_stop_for_its_new_code_is_killed(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, deaf="trap '' TERM; echo $$ >>deaf.pids; while :; do sleep 1; done")
    start(RUNNER)
    eventually(lambda: len(pids(tmp_path, "deaf")) == 1, "it runs")
    change(tmp_path, "deaf")
    eventually(lambda: len(pids(tmp_path, "deaf")) == 2, "it runs again")
    assert is_gone(pids(tmp_path, "deaf")[0])


def test_a_program_that_its_change_breaks_waits_for_the_next_change(tmp_path: Path, start: Start) -> None:
    procfile(tmp_path, one="echo $$ >>one.pids; test $(wc -l <one.pids) -ne 2 || exit 3; exec sleep 1000")
    runner = start(RUNNER)
    eventually(lambda: len(pids(tmp_path, "one")) == 1, "it runs")
    change(tmp_path, "one")
    eventually(lambda: "one ended with code 3: waiting for the next change" in runner.text, "it is broken")
    change(tmp_path, "one")
    eventually(lambda: len(pids(tmp_path, "one")) == 3, "it runs again")
    assert not is_gone(pids(tmp_path, "one")[-1])
