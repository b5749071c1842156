"""The server: its port, its connections, its keys, and what is told to clients by itself."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from simulator.accounts.directory import Directory
from simulator.accounts.faults import AccountFaults
from simulator.accounts.model import Account, AuthKey, Event
from simulator.accounts.settings import AccountSettings
from simulator.journal import Journal
from simulator.mtproto import views
from simulator.mtproto.calls import Calls
from simulator.mtproto.connections import Connection, serves
from simulator.mtproto.framing import PacketStream
from simulator.mtproto.server_key import ServerKey
from simulator.mtproto.sessions import Session

if TYPE_CHECKING:
    from simulator.world import World

HOME = 2
MIGRATION_WITHIN = 60.0


class Server:
    """One Telegram of accounts. `start` and `stop` bracket its life on one event loop."""

    def __init__(self, world: World, settings: AccountSettings, faults: AccountFaults, journal: Journal) -> None:
        self.settings = settings
        self.faults = faults
        self.journal = journal
        self.calls = Calls(self)
        self.connections: dict[int, Connection] = {}
        self.address = ("127.0.0.1", 0)
        self._listening: asyncio.Server | None = None
        self._last_connection = 0
        self._held: set[asyncio.Task[None]] = set()
        self._moving: list[tuple[float, int]] = []
        saved = world.accounts.server_key
        self.key = ServerKey(saved.encode() if saved else None)
        self.adopt(world)

    def adopt(self, world: World) -> None:
        """Serve this world, whose keys are the only ones that are known."""
        self.world = world
        self.directory: Directory = world.accounts
        self.directory.server_key = self.key.private_pem.decode()
        self.directory.listener = self.publish
        self.directory.notifier = self.notify
        self.directory.on_refused = self._show_end
        self.directory.later = self._later
        for connection in list(self.connections.values()):
            connection.key_id = 0  # of the world before: its end is no entry of this one's log
            connection.cut()

    async def start(self, host: str, port: int) -> None:
        """Listen; `address` then says where."""
        self._listening = await asyncio.start_server(self._accept, host, port, backlog=1024)
        self.address = self._listening.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """End all connections."""
        if self._listening is not None:
            self._listening.close()
        for task in self._held:
            task.cancel()
        for connection in list(self.connections.values()):
            connection.cut()
        for _ in range(100):
            if not self.connections:
                break
            await asyncio.sleep(0.01)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.settings.accepts_connections:
            writer.close()
            return
        self._last_connection += 1
        connection = Connection(self, PacketStream(reader, writer), self._last_connection)
        self.connections[connection.number] = connection
        try:
            # asyncio would report a task that the end of the program cancels.
            with contextlib.suppress(asyncio.CancelledError):
                await connection.run()
        finally:
            del self.connections[connection.number]
            if connection.key_id:
                self._log_connection("closed", connection)

    # ---- keys and connections

    def register_key(self, agreed: Any) -> None:
        """Remember a key that was just agreed on. A client that was sent to another data center makes its key there."""
        now = time.monotonic()
        self._moving = [(until, dc) for until, dc in self._moving if until > now]
        dc = self._moving.pop(0)[1] if self._moving else HOME
        self.directory.keys[agreed.key_id] = AuthKey(agreed.key_id, agreed.key.hex(), dc, secrets.randbits(62))
        self.world.changes += 1

    def expect_move(self, dc: int) -> None:
        """A client is being told to go to this data center: the next new key is made there."""
        self._moving.append((time.monotonic() + MIGRATION_WITHIN, dc))

    def register_connection(self, connection: Connection, key: AuthKey) -> None:
        """A key is used on a connection. Two open connections at once end a login for good."""
        if connection.key_id == key.id:
            return
        others = [each for each in self.connections_of(key) if each is not connection and each.is_open]
        connection.key_id = key.id
        self._log_connection("connected", connection)
        if others and key.account and self.settings.one_connection_per_key and not key.refused:
            self._log_connection("duplicate_key", connection)
            self.directory.refuse_key(key, "AUTH_KEY_DUPLICATED")

    def connections_of(self, key: AuthKey) -> list[Connection]:
        """The connections that a key is used on."""
        return [connection for connection in self.connections.values() if connection.key_id == key.id]

    def cut(self, account: Account | None = None) -> int:
        """Close the account's connections, or all; how many there were."""
        connections = list(self.connections.values())
        if account is not None:
            connections = [each for key in self.directory.keys_of(account) for each in self.connections_of(key)]
        for connection in connections:
            connection.cut()
        return len(connections)

    def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a call go on later, while others are served; it is carried out even when its connection has ended."""
        task = asyncio.get_running_loop().create_task(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        directory = self.directory
        asyncio.get_running_loop().call_later(seconds, lambda: action() if self.directory is directory else None)

    def _show_end(self, key: AuthKey) -> None:
        """A login that was ended from elsewhere: the client hears of it at its next call."""
        self.world.events.publish({"type": "private", "what": "logins", "account": key.account, "peer": 0})

    def _log_connection(self, outcome: str, connection: Connection) -> None:
        key = self.directory.keys.get(connection.key_id)
        entry = {
            "outcome": outcome,
            "account": key.account if key is not None and key.account else None,
            "key": str(connection.key_id),
            "connection": connection.number,
        }
        self.journal.append(entry)

    # ---- what devices are told

    def _hearing(self, account: Account, besides: Session | None = None) -> Iterator[Session]:
        for key in self.directory.keys_of(account):
            for connection in self.connections_of(key):
                yield from (session for session in serves(connection, key) if session is not besides)

    def publish(self, account: Account, event: Event) -> None:
        """Tell the account's devices of a change, except the one whose call made it: that one has its answer."""
        listening = list(self._hearing(account, self.calls.acting))
        if not listening:
            return
        for _ in range(self.faults.pushes(account.id, event.peer)):
            self._push(listening, views.updates(self.directory, account, [event]))

    def notify(self, account: Account, kind: str, values: dict[str, Any]) -> None:
        """Tell the account's devices of something that is no change of its box."""
        update = views.notice(kind, values)
        self._push(list(self._hearing(account, self.calls.acting)), views.short(update))

    def tell_key(self, key: AuthKey, kind: str, values: dict[str, Any]) -> None:
        """Tell a client by its key, whether somebody is logged in there or not."""
        sessions = [each for connection in self.connections_of(key) for each in serves(connection, key)]
        self._push(sessions, views.short(views.notice(kind, values)))

    def _push(self, sessions: list[Session], update: Any) -> None:
        body = bytes(update)
        for session in sessions:
            session.put(body, answer=False)
            # A call's own answer leaves with what it caused; what waits for it would be told first otherwise.
            session.flush()
