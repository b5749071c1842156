"""Running a call: its wrappers taken off, faults, the login it needs, the method, the log, the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.directory import Directory
from simulator.accounts.errors import Refusal
from simulator.accounts.faults import AccountFault
from simulator.accounts.model import Account, AuthKey
from simulator.accounts.refusals import is_frozen, is_stranger
from simulator.errors import ControlError
from simulator.mtproto.methods import FROZEN_ALLOWED, LONG_VECTORS, METHODS, WITHOUT_LOGIN
from simulator.mtproto.sessions import Session

if TYPE_CHECKING:
    from simulator.mtproto.connections import Connection
    from simulator.mtproto.server import Server

log = logging.getLogger("simulator.mtproto")
WRAPPERS = (
    functions.InvokeWithLayerRequest,
    functions.InitConnectionRequest,
    functions.InvokeWithoutUpdatesRequest,
    functions.InvokeAfterMsgRequest,
    functions.InvokeAfterMsgsRequest,
)


def method_name(request: Any) -> str:
    """The protocol's name of a request, such as `messages.sendMessage`."""
    space = type(request).__module__.rpartition(".")[2]
    name = type(request).__name__.removesuffix("Request")
    name = name[0].lower() + name[1:]
    return name if space == "functions" else f"{space}.{name}"


@dataclass(slots=True)
class Call:
    """One call: who makes it with which key, and what is logged of it.

    `outcome` becomes `repeated` where nothing new was done; `peer`, `message_id` and `text` are filled in by the
    method.
    """

    server: Server
    key: AuthKey
    account: Account | None
    request: Any
    method: str
    outcome: str = "accepted"
    peer: int = 0
    message_id: int = 0
    text: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Directory:
        """Everybody."""
        return self.server.directory

    @property
    def me(self) -> Account:
        """Whose call it is. Raises Refusal where nobody is logged in."""
        if self.account is None:
            raise Refusal(401, "AUTH_KEY_UNREGISTERED")
        return self.account


class Calls:
    """Runs the calls of all connections. `acting` is the session whose call is being carried out."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.acting: Session | None = None

    def take(self, connection: Connection, session: Session, number: int, request: Any) -> None:
        """Carry out a call and answer it, now or, where a fault says so, later or never."""
        quiet = False
        while isinstance(request, WRAPPERS):
            if isinstance(request, functions.InitConnectionRequest):
                _describe(session.key, request)
            quiet = quiet or isinstance(request, functions.InvokeWithoutUpdatesRequest)
            request = request.query
        key = session.key
        account = self.server.directory.accounts.get(key.account)
        call = Call(self.server, key, account, request, method_name(request))
        key.active = int(time.time())
        if not quiet and not session.hears:
            session.hears = True
            returns = self.server.settings.too_long_on_return and account is not None
            if returns and call.method != "help.getConfig":
                session.put(bytes(types.UpdatesTooLong()), answer=False)
        fault = self._fault(call)
        if fault is None:
            self._finish(connection, session, number, call, None)
            return
        if fault.kind == "ignore":
            self._log(call, connection, fault, "ignored")
            connection.acknowledge(session, number)
        elif fault.kind == "drop_before":
            self._log(call, connection, fault, "ignored")
            connection.cut()
        elif fault.kind == "latency" and not _is_in_work(call):
            self.server.hold(self._finish_later(connection, session, number, call, fault))
        else:
            self._finish(connection, session, number, call, fault)

    def _fault(self, call: Call) -> AccountFault | None:
        if call.key.refused or not self.server.faults.rules:
            return None
        peer = getattr(getattr(call.request, "peer", None), "user_id", 0)
        stranger = False
        if call.account is not None and peer in self.server.world.people:
            stranger = is_stranger(call.account, self.server.directory.account(peer))
        account = call.account.id if call.account is not None else _whose_login(call)
        return self.server.faults.strike(account, call.method, peer, stranger=stranger)

    async def _finish_later(
        self, connection: Connection, session: Session, number: int, call: Call, fault: AccountFault
    ) -> None:
        random_id, account = _random_id(call.request), call.account
        if random_id is not None and account is not None:
            account.in_work.add(random_id)
        await asyncio.sleep(fault.seconds)
        if random_id is not None and account is not None:
            account.in_work.discard(random_id)
        if account is not None and self.server.directory.accounts.get(account.id) is not account:
            return  # the world was emptied meanwhile
        self._finish(connection, session, number, call, fault)

    def _finish(
        self, connection: Connection, session: Session, number: int, call: Call, fault: AccountFault | None
    ) -> None:
        self.acting = session
        try:
            value = self._carry_out(connection, call, fault)
        finally:
            self.acting = None
        if fault is not None and fault.kind == "lose_reply":
            connection.acknowledge(session, number)
        elif fault is not None and fault.kind == "drop_after":
            connection.cut()
        else:
            connection.answer(session, number, value, long=type(call.request) in LONG_VECTORS)

    def _carry_out(self, connection: Connection, call: Call, fault: AccountFault | None) -> Any:
        """The result, or the error as an object; either is in the log before it is returned."""
        try:
            if fault is not None and fault.kind == "flood_wait":
                raise Refusal(420, f"FLOOD_WAIT_{max(fault.remaining(), 1)}")
            if fault is not None and fault.kind == "error":
                raise Refusal(fault.code, fault.message, fault.notice)
            value = self._result(call)
        except Refusal as refused:
            self._log(call, connection, fault, "rejected", refused)
            if refused.notice and call.account is not None:
                values = {"type": refused.message, "message": refused.notice, "popup": True}
                self.acting = None
                self.server.notify(call.account, "service", values)
            return types.RpcError(refused.code, refused.message)
        self._log(call, connection, fault, call.outcome)
        return value

    def _result(self, call: Call) -> Any:
        key = call.key
        if key.refused:
            raise Refusal(406 if key.refused == "AUTH_KEY_DUPLICATED" else 401, key.refused)
        method = METHODS.get(type(call.request))
        if method is None:
            raise Refusal(400, "METHOD_NOT_SIMULATED")
        if call.account is not None and call.directory.person(call.account.id).deactivated:
            raise Refusal(401, "USER_DEACTIVATED")
        if call.account is not None and call.account.conduct.banned:
            raise Refusal(401, "USER_DEACTIVATED_BAN")
        needs_login = type(call.request) not in WITHOUT_LOGIN
        if needs_login and is_frozen(call.me) and type(call.request) not in FROZEN_ALLOWED:
            raise Refusal(420, "FROZEN_METHOD_INVALID")
        try:
            return method(call, call.request)
        except Refusal:
            raise
        except ControlError as error:
            log.warning("%s: %s", call.method, error.message)
            raise Refusal(400, "PEER_ID_INVALID") from None
        except Exception:
            # Closing the connection would have the client send the same again without end.
            log.exception("%s failed unexpectedly", call.method)
            raise Refusal(500, "SIMULATOR_DEFECT") from None

    def _log(
        self,
        call: Call,
        connection: Connection,
        fault: AccountFault | None,
        outcome: str,
        refused: Refusal | None = None,
    ) -> None:
        random_id = _random_id(call.request)
        account = call.account.id if call.account is not None else call.key.account
        entry: dict[str, Any] = {
            "outcome": outcome,
            "account": account or None,
            "phone": call.account.phone if call.account is not None else None,
            "method": call.method,
            "random_id": str(random_id) if random_id is not None else None,
            "peer": call.peer or None,
            "message_id": call.message_id or None,
            "text": call.text,
            "connection": connection.number,
            "key": str(call.key.id),
            **call.more,
        }
        if refused is not None:
            entry |= {"code": refused.code, "error": refused.message}
        if fault is not None:
            entry["fault"] = fault.kind
        self.server.journal.append(entry)


def _random_id(request: Any) -> int | None:
    random_id = getattr(request, "random_id", None)
    return random_id if isinstance(random_id, int) else None


def _whose_login(call: Call) -> int:
    """Whose number a client logs in with, 0 for nobody's."""
    account = call.directory.with_phone(getattr(call.request, "phone_number", None) or "")
    return account.id if account is not None else 0


def _is_in_work(call: Call) -> bool:
    """Whether the same send is being held already; it is refused then, not held as well."""
    return call.account is not None and _random_id(call.request) in call.account.in_work


def _describe(key: AuthKey, request: Any) -> None:
    key.api_id = request.api_id
    key.device, key.system, key.application = request.device_model, request.system_version, request.app_version
