"""`bin/fix [paths]`: mend what a machine can mend (import order, simple lint, format); the whole tree by default."""

from __future__ import annotations

import subprocess
import sys

from .checks import project_environment
from .environment import ROOT


def main() -> int:
    """The command. The exit code is 1 when something is left that a person must mend."""
    paths = sys.argv[1:] or ["."]
    if paths[0].startswith("-"):
        print(__doc__)
        return 0 if paths[0] in ("-h", "--help") else 2
    ruff = [sys.executable, "-m", "ruff"]
    left = [
        command[0]
        for command in (["check", "--fix"], ["format"])
        if subprocess.run([*ruff, *command, *paths], cwd=ROOT, env=project_environment(), check=False).returncode
    ]
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
