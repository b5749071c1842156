"""`bin/run`: a command with the variables of the running `bin/dev`, for instance `bin/run flask --help`."""

from __future__ import annotations

import json
import os
import sys

from . import environment as env


def main() -> int:
    """The command. Does not return when the named program starts; else the exit code."""
    command = sys.argv[1:]
    if not command or command[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if command else 2
    if not env.RUNNING.exists() and not os.environ.get("DATABASE_URL"):
        print(
            "bin/run: bin/dev is not running here; start it first, or set DATABASE_URL and REDIS_URL",
            file=sys.stderr,
        )
        return 1
    running = json.loads(env.RUNNING.read_text()) if env.RUNNING.exists() else {}
    environment = env.read(running | dict(os.environ), env.ROOT / ".env")
    os.chdir(env.ROOT)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except FileNotFoundError:
        print(f"bin/run: there is no command {command[0]}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
