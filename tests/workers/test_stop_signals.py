"""A stop is called as by any other thread: it cannot wait for a lock that the interrupted code holds."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.support.installation import ROOT


def run(code: str) -> subprocess.CompletedProcess[str]:
    head = """
        import os, signal, threading
        from backend.workers.stop_signals import StopSignals
        signals = StopSignals()
        signals.listen()
    """
    script = textwrap.dedent(head) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_that_meets_the_stops_own_lock_is_no_deadlock(name):
    """An event's lock is held for moments in each wait; here the main thread holds one while the signal comes."""
    done = run(
        f"""
        lock, called, ended = threading.Lock(), threading.Event(), threading.Event()
        def stop():
            called.set()
            with lock:
                ended.set()
        signals.call_on_stop(stop)
        with lock:
            os.kill(os.getpid(), signal.{name})
            assert called.wait(60)
            assert not ended.is_set()
        assert ended.wait(60)
        print("ended in good order")
        """
    )
    assert (done.returncode, done.stdout) == (0, "ended in good order\n"), done.stderr


def test_stop_is_called_once_however_many_signals_come():
    done = run(
        """
        calls, called = [], threading.Event()
        def stop():
            calls.append(1)
            called.set()
        signals.call_on_stop(stop)
        for _ in range(50):
            os.kill(os.getpid(), signal.SIGTERM)
        assert called.wait(60)
        print(len(calls))
        """
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_signal_before_anything_has_begun_ends_the_process_at_once():
    done = run(
        """
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(30)
        print("not reached")
        """
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
