"""Where the time goes, by py-spy, when `--profile` asks for it. Such a run's figures do not count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.result import PEER_PYTHON, Options


@contextmanager
def profile(options: Options, pid: int, name: str, *, rate: int = 200) -> Iterator[None]:
    """Samples this process and its children during the block, into `<name>.txt` (collapsed stacks) of the folder."""
    if not options.profile:
        yield
        return
    path = options.folder / f"{name}.txt"
    words = ["record", "-p", str(pid), "-s", "-g", "-F", "-r", str(rate), "-f", "raw", "-o", str(path), "-d", "3600"]
    watching = subprocess.Popen([str(PEER_PYTHON.parent / "py-spy"), *words], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        if watching.poll() is None:
            os.kill(watching.pid, signal.SIGINT)
        watching.wait(60)


def hottest(path: Path, most: int = 25) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The functions with the largest share of samples: by themselves, and with all they call (within backend/)."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    total = 0
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in {place for place in frames if "backend/" in place}:
            whole[frame] += int(count)
    share = [[(name, n / total) for name, n in place.most_common(most)] for place in (own, whole)]
    return share[0], share[1]


def main() -> None:
    """`python -m benchmarks.profiling FILE`: the hottest functions of a run with `--profile`."""
    own, whole = hottest(Path(sys.argv[1]))
    for title, counts in (("by themselves", own), ("with what they call, ours only", whole)):
        print(f"── {title}")
        for name, share in counts:
            print(f"{share:6.1%}  {name}")


if __name__ == "__main__":
    main()
