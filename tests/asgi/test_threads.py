"""Threads that do what blocks: in order, and the one that came free last first."""

from __future__ import annotations

import asyncio
import threading

from backend.asgi.wsgi_bridge.threads import Threads


def test_one_after_the_other_stays_in_one_thread() -> None:
    async def run() -> set[str]:
        threads = Threads(4)
        names = set()
        for _ in range(50):
            while len(threads._idle) < 4:  # noqa: ASYNC110 - a thread is free a moment after it has answered
                await asyncio.sleep(0.001)
            names.add(await threads.run(lambda: threading.current_thread().name))
        return names

    assert len(asyncio.run(run())) == 1


def test_more_than_there_are_threads_wait_in_their_order() -> None:
    async def run() -> list[int]:
        threads = Threads(1)
        started: list[int] = []
        go = threading.Event()
        first = threads.run(go.wait, 30)
        others = [threads.run(started.append, number) for number in range(20)]
        go.set()
        await asyncio.gather(first, *others)
        return started

    assert asyncio.run(run()) == list(range(20))


def test_all_threads_work_at_once() -> None:
    async def run() -> None:
        threads = Threads(3)
        together = threading.Barrier(3)
        await asyncio.wait_for(asyncio.gather(*(threads.run(together.wait, 30) for _ in range(3))), 60)

    asyncio.run(run())


def test_what_a_function_raises_is_its_callers() -> None:
    async def run() -> int:
        threads = Threads(1)
        failed = threads.run(lambda: 1 // 0)
        try:
            await failed
        except ZeroDivisionError:
            return int(await threads.run(lambda: 7))
        return 0

    assert asyncio.run(run()) == 7
