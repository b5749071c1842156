"""Bodies of strangers, slow bodies, and a tenant's large reports."""

from __future__ import annotations

import json

from benchmarks.attacks import Attack, Target

_MIB = 1024 * 1024


def _anonymous_uploads(target: Target) -> None:
    """20 uploads of 49 MB without credentials."""
    head = b'POST /api/files HTTP/1.1\r\nContent-Type: multipart/form-data; boundary="b"\r\nContent-Length: %d\r\n\r\n'
    target.at_once([lambda: target.send(head % (49 * _MIB), b"x" * _MIB, 49 * _MIB)] * 20)


def _slow_bodies(target: Target) -> None:
    """300 bodies without credentials of which nearly all is there, and no more comes."""
    connections = []
    for _ in range(300):
        connections.append(target.dial())
        head = b"POST /api/auth/login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
        connections[-1].sendall(head + b"x" * 190_000)
    target.hold(connections, 8)


def _large_reports(target: Target) -> None:
    """Eight reports of 8 MB at once, of one token."""
    alert = {"status": "firing", "annotations": {"description": "서버 " * 2500}}
    alerts = [alert | {"labels": {"alertname": "Disk", "n": str(number)}} for number in range(500)]
    body = json.dumps({"groupKey": "g", "alerts": alerts}, ensure_ascii=False).encode()[: 8 * _MIB]
    head = (
        f"POST /api/alerts/alertmanager HTTP/1.1\r\nAuthorization: Bearer {target.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    target.at_once([lambda: target.send(head, body, len(body))] * 8)


ATTACKS = (
    Attack("20 anonymous uploads of 49 MB", _anonymous_uploads),
    Attack("300 anonymous bodies that stop", _slow_bodies),
    Attack("eight reports of 8 MB at once", _large_reports),
)
