"""`bin/run`: a command with the variables of the running `bin/dev`, for instance `bin/run flask --help`.

`bin/run psql` opens the database; where no psql is installed, with the one that comes with the embedded server.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping

from embedded.postgres import client

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
    if command[0] == "psql":
        command = psql(command[1:], environment)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except FileNotFoundError:
        print(f"bin/run: there is no command {command[0]}", file=sys.stderr)
        return 127


def psql(arguments: list[str], environment: Mapping[str, str]) -> list[str]:
    """The command that opens the product's database with PostgreSQL's own client."""
    scheme, _, rest = environment["DATABASE_URL"].partition("://")
    program = shutil.which("psql", path=environment["PATH"]) or str(client())
    return [program, f"{scheme.split('+')[0]}://{rest}", *arguments]


if __name__ == "__main__":
    sys.exit(main())
