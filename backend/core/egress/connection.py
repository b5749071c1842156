"""A connection to one judged address, every step of which ends at one deadline.

A socket's own timeout starts again with each byte, so a peer that drips a byte every few seconds would hold a
worker for ever. Here every single receive gets only what is left of the whole.
"""

from __future__ import annotations

import io
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from backend.core.egress import addresses
from backend.core.egress.errors import EgressFailed, EgressRefused
from backend.core.egress.target import Target

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[tuple[str, int], float], socket.socket]

_MAX_ADDRESSES_TRIED: Final = 4
_SEND_BYTES: Final = 64 * 1024
_resolvers: Final = threading.BoundedSemaphore(32)
"""Look-ups under way in a process: one that hangs outlives whoever waited for it, and anybody can name such a host."""


class Deadline:
    """A moment on a monotonic clock after which nothing more is waited for."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError when there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def system_resolver(host: str, port: int) -> list[str]:
    """All addresses the operating system knows for a name. Raises OSError."""
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in results))


def system_connector(address: tuple[str, int], timeout: float) -> socket.socket:
    """A TCP connection to an IP address. Raises OSError."""
    return socket.create_connection(address, timeout)


def resolve(target: Target, resolver: Resolver, deadline: Deadline, *, allow_private: bool) -> list[str]:
    """The target's addresses in the resolver's order, all of them judged.

    Raises `EgressRefused` if any may not be reached (one forbidden among good ones is an attack, not an accident)
    and `EgressFailed` if there are none.
    """
    literal = addresses.parse(target.host)
    candidates = [target.host] if literal is not None else _look_up(target, resolver, deadline)
    judged = [addresses.parse(text) for text in candidates]
    if not judged:
        raise EgressFailed("dns_failed", f"There is no address for {target.origin}.", sent=False)
    for address in judged:
        if address is None or not addresses.is_reachable(address, allow_private=allow_private):
            raise EgressRefused("private_address", f"{target.origin} does not lead to a public address.")
    return [str(address) for address in judged]


def _look_up(target: Target, resolver: Resolver, deadline: Deadline) -> Sequence[str]:
    answers: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(target.host, target.port))
        except (OSError, UnicodeError) as error:
            answers.put(error)
        finally:
            _resolvers.release()

    # The system's resolver knows none of our deadlines; a thread that is left behind ends with the resolver's own.
    if not _resolvers.acquire(timeout=deadline.remaining()):
        raise TimeoutError
    try:
        threading.Thread(target=ask, name="egress-resolver", daemon=True).start()
    except RuntimeError:
        _resolvers.release()
        raise EgressFailed("dns_failed", "There is no thread left to look up an address.", sent=False) from None
    try:
        answer = answers.get(timeout=deadline.remaining())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise EgressFailed("dns_failed", f"There is no address for {target.origin}.", sent=False) from None
    return answer


def connect(
    target: Target,
    judged: Sequence[str],
    connector: Connector,
    deadline: Deadline,
    context: Callable[[], ssl.SSLContext],
) -> DeadlineSocket:
    """A connection to the first of the judged addresses that answers; over TLS verified against the *name*.

    `context` is asked for where TLS is spoken: making one takes tens of milliseconds.
    Raises `EgressFailed` and TimeoutError; nothing was sent then.
    """
    candidates = judged[:_MAX_ADDRESSES_TRIED]
    for position, address in enumerate(candidates, start=1):
        # A dead first address must leave time for the others.
        patience = deadline.remaining() / (len(candidates) - position + 1)
        try:
            raw = connector((address, target.port), patience)
        except OSError:
            continue
        break
    else:
        deadline.remaining()
        raise EgressFailed("connect_failed", f"No connection to {target.origin}.", sent=False)
    if target.scheme == "http":
        return DeadlineSocket(raw, deadline)
    try:
        raw.settimeout(deadline.remaining())
        return DeadlineSocket(context().wrap_socket(raw, server_hostname=target.host), deadline)
    except TimeoutError:
        raw.close()
        raise
    except (ssl.SSLError, ssl.CertificateError, OSError, ValueError) as error:
        raw.close()
        reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "no secure connection"
        raise EgressFailed("tls_failed", f"{target.origin}: {reason}.", sent=False) from None


class TooMuchReceived(Exception):
    """The other side sent more bytes than were allowed. No library below knows it, so none of them swallows it."""


class DeadlineSocket:
    """As much of a socket as `http.client` uses, each operation bounded by the deadline, and what is received by size.

    The size is counted here, below `http.client`: a chunk of length -1 makes it read until there is no memory left.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self._deadline = deadline
        self._receiver: _Receiver | None = None
        self._allowed = 0

    def allow(self, size: int) -> None:
        """Lets so many more bytes in, whatever was left; more raise `TooMuchReceived`."""
        self._allowed = size
        if self._receiver is not None:
            self._receiver.left = size

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Sends everything. Raises OSError and TimeoutError."""
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(self._deadline.remaining())
            rest = rest[self.sock.send(rest[:_SEND_BYTES]) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A buffered reader over the socket."""
        self._receiver = _Receiver(self.sock, self._deadline, self._allowed)
        return io.BufferedReader(self._receiver)

    def close(self) -> None:
        """Does nothing: `http.client` closes while its answer is still unread; `end` is the real end."""

    def end(self) -> None:
        """Closes the connection."""
        self.sock.close()


class _Receiver(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, left: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self.left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._sock.settimeout(self._deadline.remaining())
        received = self._sock.recv_into(buffer)
        self.left -= received
        if self.left < 0:
            raise TooMuchReceived
        return received
