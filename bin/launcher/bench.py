"""`bin/bench`: the measurements in `benchmarks/`, against durable servers of their own."""

from __future__ import annotations

import subprocess
import sys

from embedded import ServerError

from .environment import ROOT
from .servers import temporary
from .test import project_environment


def main() -> int:
    """The command. 2 when there is nothing to measure, else what the measurements answer."""
    if not (ROOT / "benchmarks" / "__main__.py").exists():
        print("bin/bench: there are no benchmarks yet (benchmarks/__main__.py)", file=sys.stderr)
        return 2
    try:
        with temporary(fsync=True) as servers:
            command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
            return subprocess.run(
                command, cwd=ROOT, env=project_environment() | servers, check=False
            ).returncode
    except ServerError as error:
        print(f"bin/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
