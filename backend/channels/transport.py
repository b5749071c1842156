"""HTTP to a provider, with one promise: after a failure it is known whether the provider can have acted.

The connections themselves record how far a request got. Nothing or only a part of it was written: the
provider never had a whole request, so `RetryLater` is true whatever the exception was. Everything was
written: `OutcomeUnknown`, whatever the exception was. Guessing this from exception classes is not possible: a
TLS error, a reset and a time-out each occur on both sides of that line.

Addresses may hold a token, and so may every exception of the libraries below; none of them leaves this
module, not even as the context of another.
"""

from __future__ import annotations

import json as jsonlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Protocol

import certifi
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as LibraryTimeout
from urllib3.poolmanager import PoolManager

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater

CONNECT_RETRY_SECONDS = 2.0
_CHUNK = 64 * 1024
_USER_AGENT = "Switchboard"
# What the libraries below make of a server's bytes, odd lengths included: which it is says nothing about how far the
# request got.
_FAILURES = (HTTPError, HTTPException, OSError, ValueError, ArithmeticError, LookupError, AttributeError)
_SECRET_IN_ADDRESS = re.compile(r"/bot[^/\s\"']+|(?<=access_token=)[^&\s\"']+")


class _Stage(IntEnum):
    NOTHING = 0
    PART = 1
    WHOLE = 2


@dataclass(slots=True)
class _Progress:
    deadline: float
    stage: _Stage = _Stage.NOTHING
    written_at: float | None = None


class _DeadlinePassed(Exception):
    """Raised before the first byte; no library below knows it, so none of them swallows or retries it."""


class _ThisThread(threading.local):
    """A request runs in one thread from its start to its end, so the connection finds its progress here."""

    def __init__(self) -> None:
        self.progress = _Progress(0.0)


_this_thread = _ThisThread()


def begin() -> None:
    """Forgets this thread's last request."""
    _this_thread.progress = _Progress(0.0)


def written_at() -> float | None:
    """The monotonic moment at which this thread's last request was wholly in the hands of the kernel; None before."""
    return _this_thread.progress.written_at


if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _Witness(_Base):
    """Mixed into urllib3's connections: notes how far a request got, and gives up connections idle for long.

    A kept connection that the server has closed meanwhile is the trap of keep-alive: the bytes are accepted
    by our kernel, nobody answers, and the outcome is unknown although nothing happened. urllib3 asks
    `is_connected` before it reuses a connection and opens a new one when the answer is no; that sees a close
    that has already arrived, but not one that is on its way. A server closes after a fixed idle time (75 s is
    a usual one), so not reusing what has been idle for much less avoids the race instead of losing it.
    """

    idle_seconds = 20.0
    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        if time.monotonic() - self._used_at > self.idle_seconds:
            return False
        return bool(super().is_connected)

    def send(self, data: Any) -> None:
        progress: _Progress = _this_thread.progress
        if progress.stage is _Stage.NOTHING:
            if self.sock is None:
                self.connect()
            if time.monotonic() >= progress.deadline:
                raise _DeadlinePassed
            progress.stage = _Stage.PART
        super().send(data)

    def request(self, *args: Any, **kwargs: Any) -> None:
        # http.client sends the body inside `request`; when it returns, the kernel has taken every byte. An
        # exception in here means that at least one byte never left, also where urllib3 ignores it to read an
        # early answer.
        super().request(*args, **kwargs)
        progress: _Progress = _this_thread.progress
        progress.stage, progress.written_at = _Stage.WHOLE, time.monotonic()

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._used_at = time.monotonic()
        return response


class _PlainConnection(_Witness, HTTPConnection):
    pass


class _TlsConnection(_Witness, HTTPSConnection):
    pass


def _pools(pool_size: int, idle_seconds: float, ca_certs: str) -> PoolManager:
    """Pools of witnessing connections, for as many hosts as providers have."""
    plain = type("_Plain", (_PlainConnection,), {"idle_seconds": idle_seconds})
    tls = type("_Tls", (_TlsConnection,), {"idle_seconds": idle_seconds})
    manager = PoolManager(num_pools=8, maxsize=pool_size, block=False, cert_reqs="CERT_REQUIRED", ca_certs=ca_certs)
    manager.pool_classes_by_scheme = {
        "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
    return manager


class Body(Protocol):
    """A request body that is read piece by piece and knows its length in bytes."""

    @property
    def content_type(self) -> str:
        """The value of the header Content-Type."""
        ...

    @property
    def len(self) -> int:
        """Bytes that remain to be read."""
        ...

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's whole answer. Header names are in lower case; the repr shows no body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` is the longest silence while waiting for the answer, `total` the longest an answer may
    take from its first byte on."""

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0


class Transport:
    """Pooled connections to providers, shared by all threads. No proxies or credentials from the environment,
    no cookies, no redirects, no retries.

    It stands on urllib3 itself, on which requests stands too: what requests adds (sessions, redirects, hooks, cookies)
    is switched off here, and costs as much as the request (docs/decisions/0028).
    """

    def __init__(self, *, pool_size: int = 16, idle_seconds: float = 20.0, ca_certs: str | None = None) -> None:
        self._pools = _pools(pool_size, idle_seconds, ca_certs or certifi.where())

    def exchange(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        deadline: float = float("inf"),
        max_bytes: int = 16 * 1024 * 1024,
    ) -> Answer:
        """One request, its whole answer. Raises RetryLater where the provider never had a whole request, and
        OutcomeUnknown where it had and no complete answer of at most `max_bytes` came."""
        limits = timeouts or Timeouts()
        with self.stream(method, url, json=json, body=body, headers=headers, timeouts=limits, deadline=deadline) as (
            answer,
            chunks,
        ):
            content = bytearray()
            for chunk in chunks:
                content += chunk
                if len(content) > max_bytes:
                    raise OutcomeUnknown("answer_too_large")
            return Answer(answer.status, answer.headers, bytes(content))

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        deadline: float = float("inf"),
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """The same with the answer's body as an iterator of pieces, for files. `Answer.body` is empty."""
        limits = timeouts or Timeouts()
        # Answers are small; there is nothing to gain from packing them, and a bound on packed bytes would be none.
        sent = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT, **(headers or {})}
        content: Body | bytes | None = body
        if body is not None:
            sent |= {"Content-Type": body.content_type, "Content-Length": str(body.len)}
        elif json is not None:
            content = jsonlib.dumps(json, allow_nan=False).encode()
            sent["Content-Type"] = "application/json"
        response = self._open(method, url, content, sent, limits, deadline)
        try:
            response_headers = {name.lower(): value for name, value in response.headers.items()}
            yield Answer(response.status, response_headers, b""), _read(response, limits.total)
        finally:
            # What was read to its end has given its connection back; anything else must not be used again.
            response.close()

    def _open(
        self,
        method: str,
        url: str,
        content: Body | bytes | None,
        headers: dict[str, str],
        limits: Timeouts,
        deadline: float,
    ) -> BaseHTTPResponse:
        progress = _this_thread.progress = _Progress(deadline)
        if time.monotonic() >= deadline:
            raise _deadline_passed()
        try:
            return self._pools.urlopen(
                method,
                url,
                body=content,
                headers=headers,
                timeout=Timeout(connect=limits.connect, read=limits.read),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except _DeadlinePassed:
            failure: ChannelError = _deadline_passed()
        except _FAILURES as error:
            failure = _judge(progress.stage, error)
        # Outside of the handler, so that not even the new error's __context__ leads to an address.
        raise failure


def _read(response: BaseHTTPResponse, total: float) -> Iterator[bytes]:
    """The body's pieces, at most `total` seconds long. `read1` returns what has come, so a trickle cannot
    outlast the bound by filling a large piece byte by byte."""
    until = time.monotonic() + total
    while True:
        try:
            chunk = response.read1(_CHUNK, decode_content=True)
        except _FAILURES as error:
            failure = _judge(_Stage.WHOLE, error)
            break
        if not chunk:
            return
        yield chunk
        if time.monotonic() > until:
            failure = OutcomeUnknown("read_timeout")
            break
    raise failure


def _judge(stage: _Stage, error: Exception) -> ChannelError:
    if stage is _Stage.NOTHING:
        return RetryLater(CONNECT_RETRY_SECONDS, "connect_failed")
    if stage is _Stage.PART:
        return RetryLater(CONNECT_RETRY_SECONDS, "request_incomplete")
    timed_out = isinstance(error, LibraryTimeout | TimeoutError) or "timed out" in str(error).lower()
    return OutcomeUnknown("read_timeout" if timed_out else "connection_dropped")


def _deadline_passed() -> RetryLater:
    return RetryLater(0, "deadline_passed")


class _AddressFilter(logging.Filter):
    """urllib3 logs request lines at DEBUG and odd headers at WARNING, with the address: take the secrets
    out."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _SECRET_IN_ADDRESS.sub(_redacted, record.getMessage())
        record.args = None
        return True


def _redacted(match: re.Match[str]) -> str:
    return "/bot[redacted]" if match.group().startswith("/bot") else "[redacted]"


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_AddressFilter())
