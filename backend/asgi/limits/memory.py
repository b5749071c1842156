"""Has the C library give memory back to the system once it is free."""

from __future__ import annotations

import ctypes
import sys
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
