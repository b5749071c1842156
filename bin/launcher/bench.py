"""`bin/bench`: the measurements in `benchmarks/`, which start durable servers of their own."""

from __future__ import annotations

import subprocess
import sys

from .checks import project_environment
from .environment import ROOT


def main() -> int:
    """The command; what the measurements answer."""
    command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
    try:
        return subprocess.run(command, cwd=ROOT, env=project_environment(), check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
