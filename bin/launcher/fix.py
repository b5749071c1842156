"""`bin/fix [paths]`: mend what a machine can mend (import order, simple lint, format); the whole tree by default."""

from __future__ import annotations

import subprocess
import sys

from .checks import FORMAT_WEB_SOURCES, WEB_SOURCES, project_environment
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
    web = [path for path in WEB_SOURCES if any(_holds(given, path) for given in paths)]
    if web and subprocess.run([*FORMAT_WEB_SOURCES, *web], cwd=ROOT, env=project_environment(), check=False).returncode:
        left.append("web format")
    return 1 if left else 0


def _holds(given: str, path: str) -> bool:
    """Whether the folder of the web sources `path` lies in what was given, or the other way round."""
    asked, ours = (ROOT / given).resolve(), (ROOT / path).resolve()
    return ours.is_relative_to(asked) or asked.is_relative_to(ours)


if __name__ == "__main__":
    sys.exit(main())
