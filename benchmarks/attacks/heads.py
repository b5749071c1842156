"""Heads without end, pipelines, and connections that say nothing."""

from __future__ import annotations

import socket
from contextlib import suppress

from benchmarks.attacks import Attack, Target

_MIB = 1024 * 1024


def _many_headers(target: Target) -> None:
    """60 MB of headers."""
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 200) for number in range(300))
    target.at_once([lambda: target.send(b"GET / HTTP/1.1\r\n", lines, 60 * _MIB)] * 4)


def _one_header(target: Target) -> None:
    """A header of 100 MB."""
    target.at_once([lambda: target.send(b"GET / HTTP/1.1\r\nX-A: ", b"x" * _MIB, 100 * _MIB)] * 2)


def _trailers(target: Target) -> None:
    """60 MB of trailers."""
    head = b"POST /api/auth/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    target.at_once([lambda: target.send(head, b"A: b\r\n" * 50_000, 60 * _MIB)] * 4)


def _pipeline(target: Target) -> None:
    """25 MB of pipelined requests."""
    many = b"GET /api/docs HTTP/1.1\r\nHost: x\r\n\r\n" * 30_000
    target.at_once([lambda: target.send(b"", many, 25 * _MIB)] * 4)


def _silent(target: Target) -> None:
    """1,100 connections that say nothing."""
    target.hold(_dialled(target, 1100, b""), 8)


def _half_sent(target: Target) -> None:
    """1,100 connections with half a head."""
    target.hold(_dialled(target, 1100, b"GET / HTTP/1.1\r\nX-A: "), 8)


def _dialled(target: Target, count: int, head: bytes) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for _ in range(count):
        with suppress(OSError):
            sockets.append(target.dial())
            sockets[-1].sendall(head)
    return sockets


ATTACKS = (
    Attack("60 MB of headers, four times", _many_headers),
    Attack("a header of 100 MB, twice", _one_header),
    Attack("60 MB of trailers, four times", _trailers),
    Attack("25 MB of pipelined requests, four times", _pipeline),
    Attack("1,100 silent connections", _silent),
    Attack("1,100 half-sent heads", _half_sent),
)
