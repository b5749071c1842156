"""Has the C library give memory back to the system once it is free."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Final

# The numbers of glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGE: Final = 128 * 1024
_ARENAS: Final = 2


def return_when_free() -> bool:
    """Keeps glibc from holding on to what large bodies needed; whether this is glibc.

    Left alone it raises its thresholds after the first large body and keeps a heap for each thread, so that a process
    stays as large as it was at its worst moment.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE), (_ARENA_MAX, _ARENAS))
    return all(mallopt(name, value) for name, value in settings)


def trim() -> bool:
    """Gives back whole free pages, also between pieces that are in use; whether the C library can.

    Pieces of some kilobytes, of which hundreds of requests under way consist, lie side by side with what stays: by
    itself the library gives back only what is free at the end of its heap. Takes a few milliseconds, and no lock of the
    interpreter's.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return malloc_trim is not None and malloc_trim(0) >= 0


class Trimmer:
    """Trims every few seconds in a thread of its own."""

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begins, where the C library can."""
        if trim():
            threading.Thread(target=self._run, name="memory-trimmer", daemon=True).start()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            trim()
