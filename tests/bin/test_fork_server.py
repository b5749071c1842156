"""What the fork server forks is, to a test, a process that was started."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bin.conftest import eventually, is_gone
from tests.support import fork_client
from tests.support.fork_client import ForkedProcess, ForkServer


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    made = ForkServer({})
    yield made
    made.stop()


def start(server: ForkServer, folder: Path, code: str) -> ForkedProcess:
    with (folder / "output").open("ab") as output:
        return server.start(["-c", code], {}, output, output)


def test_a_command_has_its_environment_folder_arguments_and_status(server: ForkServer) -> None:
    code = "import os, sys; print(dict(os.environ), os.getcwd(), sys.argv); print('bad', file=sys.stderr); sys.exit(3)"
    status, output, errors = server.run(["-c", code, "word"], {"ONLY": "this"}, 20)
    assert (status, errors) == (3, "bad\n")
    assert output == f"{ {'ONLY': 'this'} } {fork_client.ROOT} ['-c', 'word']\n"


def test_a_console_script_and_a_script_run_as_programs(server: ForkServer) -> None:
    status, output, _ = server.run(["flask", "--version"], {}, 20)
    assert (status, "Flask" in output) == (0, True)
    status, _, errors = server.run(["worker.py", "no-such-role"], {}, 20)
    assert (status, "unknown role no-such-role" in errors) == (2, True)


def test_an_exception_ends_it_with_its_traceback(server: ForkServer) -> None:
    status, _, errors = server.run(["-c", "raise ValueError('so')"], {}, 20)
    assert (status, errors.splitlines()[-1]) == (1, "ValueError: so")


def test_a_signal_is_its_status(server: ForkServer, tmp_path: Path) -> None:
    process = start(server, tmp_path, "import time; time.sleep(100)")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.kill()
    assert process.wait(60) == process.poll() == -signal.SIGKILL
    process.terminate()
    assert is_gone(process.pid)


def test_one_that_takes_too_long_is_ended(server: ForkServer) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        server.run(["-c", "import time; time.sleep(100)"], {}, 0.2)


def test_it_reads_nothing_and_inherits_nothing_open(server: ForkServer, tmp_path: Path) -> None:
    other = start(server, tmp_path, "import time; time.sleep(100)")
    code = "import os, sys; print(repr(sys.stdin.read()), sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    _, output, errors = server.run(["-c", code], {}, 20)
    other.kill()
    assert (output.split("[")[0], errors) == ("'' ", "")
    assert "[0, 1, 2]" in output


def test_the_server_and_what_it_forked_go_with_whoever_asked_it(tmp_path: Path) -> None:
    made = ForkServer({})
    forked = start(made, tmp_path, "import time; time.sleep(100)")
    made.stop()
    assert is_gone(made.pid)
    eventually(lambda: is_gone(forked.pid), "what it forked is gone too")
    with pytest.raises(AssertionError, match="the fork server has died"):
        start(made, tmp_path, "")


def test_every_variable_that_is_read_during_an_import_is_fixed() -> None:
    """A module's own statement stands at the beginning of a line; inside a function the variable is read later."""
    asked = re.compile(r"^\S.*config\.test_env\(\"(\w+)\"\)", re.MULTILINE)
    sources = (fork_client.ROOT / "backend").rglob("*.py")
    assert {name for path in sources for name in asked.findall(path.read_text())} == set(fork_client.FIXED)
