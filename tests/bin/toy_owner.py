"""Starts both embedded servers below a folder, says where, and waits to be killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from embedded import EmbeddedPostgres, EmbeddedValkey

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    postgres = EmbeddedPostgres(folder / "postgres", fsync=False)
    valkey = EmbeddedValkey(folder / "valkey")
    postgres.start()
    valkey.start()
    print(postgres.pid, valkey.pid, flush=True)
    signal.pause()
