"""Few hash at once and few wait; everybody else is told when to come back, and nobody's place is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from backend.core import hash_queue
from backend.core.errors import TooManyRequests, Unavailable
from backend.core.hash_queue import HashQueue, Size, size_for


class Crowd:
    """Threads that want a place and keep it until they are let go."""

    def __init__(self, queue: HashQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.go = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def join(self, name: str, caller: str | None = None, *, preferred: bool = False) -> None:
        """A thread that waits for its place; returns once it is in the queue or at work."""
        before = self.taken()
        thread = threading.Thread(target=self._run, args=(name, caller, preferred), daemon=True)
        self.threads.append(thread)
        thread.start()
        until(lambda: self.taken() > before)

    def taken(self) -> int:
        """Places in use."""
        with self.queue._lock:
            return self.queue._at_work + len(self.queue._waiting) + len(self.queue._preferred)

    def has_last(self, name: str) -> bool:
        """Whether this one came to its turn last."""
        return self.order[-1:] == [name]

    def _run(self, name: str, caller: str | None, preferred: bool) -> None:
        with self.queue.place(caller, preferred=preferred):
            self.order.append(name)
            self.go.acquire()

    def finish(self) -> None:
        """Lets everybody go."""
        for _ in self.threads:
            self.go.release()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another thread is about to do."""
    pause = threading.Event()
    for _ in range(12_000):
        if holds():
            return
        pause.wait(0.005)
    raise AssertionError("it never came")


@contextmanager
def crowd(size: Size) -> Iterator[Crowd]:
    made = Crowd(HashQueue(size))
    try:
        yield made
    finally:
        made.finish()
    assert made.taken() == 0
    assert not made.queue._held


@pytest.mark.parametrize(
    ("threads", "cores", "size"),
    [
        (8, 2, Size(1, 6, 3)),
        (8, 16, Size(6, 6, 3)),
        (1, 1, Size(1, 1, 1)),
        (2, 64, Size(1, 1, 1)),
        (256, 8, Size(4, 192, 96)),
    ],
)
def test_threads_and_cores_are_left_for_others(threads: int, cores: int, size: Size) -> None:
    assert size_for(threads, cores) == size
    assert threads == 1 or size.places < threads


def test_who_comes_when_all_places_are_taken_is_told_to_come_back() -> None:
    with crowd(Size(1, 4, 4)) as people:
        for number in range(3):
            people.join(f"stranger {number}")
        with pytest.raises(Unavailable):
            people.queue.check()
        with pytest.raises(Unavailable) as caught, people.queue.place():
            pytest.fail("there was no place")
        assert (caught.value.code, caught.value.retry_after) == ("sign_in_busy", 1)
        people.join("a known device", preferred=True)
        with pytest.raises(Unavailable), people.queue.place(preferred=True):
            pytest.fail("the reserve is one place")


def test_one_caller_cannot_have_all_places() -> None:
    with crowd(Size(1, 8, 2)) as people:
        people.join("a", "192.0.2.1")
        people.join("b", "192.0.2.1")
        with pytest.raises(TooManyRequests) as caught, people.queue.place("192.0.2.1"):
            pytest.fail("that is a third")
        assert caught.value.retry_after == 1
        with pytest.raises(TooManyRequests):
            people.queue.check("192.0.2.1")
        people.queue.check("192.0.2.2")
        people.join("c", "192.0.2.2")
        people.join("d", "192.0.2.1", preferred=True)


def test_turns_come_in_order_and_those_preferred_first() -> None:
    with crowd(Size(1, 6, 6)) as people:
        people.join("at work")
        people.join("first")
        people.join("second")
        people.join("known", preferred=True)
        for name in ("at work", "known", "first"):
            until(partial(people.has_last, name))
            people.go.release()
        until(lambda: people.order == ["at work", "known", "first", "second"])


def test_who_waits_too_long_gives_up_and_leaves_the_queue_whole() -> None:
    queue = HashQueue(Size(1, 4, 4), patience=0.01)
    with queue.place("a"):
        with pytest.raises(Unavailable) as caught, queue.place("b"):
            pytest.fail("the place was taken")
        assert caught.value.retry_after == 2
    with queue.place("b"), ExitStack():
        pass
    assert (queue._at_work, len(queue._waiting), dict(queue._held)) == (0, 0, {})


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_place_is_given_back_whatever_happens_in_it(fault: type[BaseException]) -> None:
    queue = HashQueue(Size(1, 1, 1))
    for _ in range(3):
        with pytest.raises(fault), queue.place("a"):
            raise fault
    with queue.place("a"):
        pass


def test_a_crowd_of_threads_never_exceeds_the_bound() -> None:
    queue = HashQueue(Size(2, 40, 40))
    at_once, most, lock, done = 0, 0, threading.Lock(), 0

    def work() -> None:
        nonlocal at_once, most, done
        with queue.place():
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.001)
            with lock:
                at_once -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(39)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (done, most <= 2, queue._at_work) == (39, True, 0)


def test_the_process_has_one_queue_for_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_queue, "_current", None)
    assert hash_queue.current() is hash_queue.current()
    hash_queue.configure(1)
    assert hash_queue.current()._size == Size(1, 1, 1)
