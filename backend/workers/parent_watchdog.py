"""A child's tie to its parent: it ends within two seconds of it, whenever and however the parent ends.

Only the standard library is needed, so that the tie exists a moment after the process does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 1.2
_PR_SET_PDEATHSIG = 1
ORPHANED = 1
"""The exit status of a child whose parent is gone."""


def tie_to(parent: int) -> None:
    """Has the kernel send SIGTERM when the parent ends (on Linux); exits at once when it has ended already.

    In this order: a parent that ends before the request is found gone by the comparison, one that ends later is
    noticed by the kernel.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(ORPHANED)


def watch(parent: int) -> None:
    """Watches the parent from a thread. Once it is gone: SIGTERM to this process, and its end after a grace."""
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(ORPHANED)
