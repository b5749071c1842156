"""What is known after a failure, and how connections are kept."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests_toolbelt.multipart.encoder import MultipartEncoder  # type: ignore[import-untyped]

from backend.channels import transport
from backend.channels.errors import OutcomeUnknown, RetryLater
from backend.channels.transport import Timeouts, Transport
from tests.channels.scripted_server import (
    Connection,
    ScriptedServer,
    answer,
    drop,
    scripted_server,
)

QUICK = Timeouts(connect=2.0, read=0.3, total=2.0)
PATH = "/bot123456:EXAMPLE-token/sendMessage"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with scripted_server(context) as server:
        yield server


def post(given: Transport, server: ScriptedServer, **more: Any) -> transport.Answer:
    return given.exchange("POST", server.url + PATH, json={"a": 1}, **({"timeouts": QUICK} | more))


def test_a_connection_is_used_again(server: ScriptedServer) -> None:
    server.script = [answer(200, {}), answer(200, {}), answer(400, {})]
    kept = Transport()
    for _ in range(3):
        post(kept, server)
    assert [request.connection for request in server.received] == [1, 1, 1]


def test_a_connection_idle_for_long_is_not_used_again(server: ScriptedServer) -> None:
    server.script = [answer(200, {}), answer(200, {})]
    wary = Transport(idle_seconds=-1)
    for _ in range(2):
        post(wary, server)
    assert [request.connection for request in server.received] == [1, 2]


def test_a_connection_the_server_has_closed_is_replaced(server: ScriptedServer) -> None:
    closed = threading.Event()

    def then_close(connection: Connection) -> bool:
        answer(200, {})(connection)
        connection.sock.shutdown(socket.SHUT_RDWR)
        closed.set()
        return False

    server.script = [then_close, answer(200, {})]
    kept = Transport()
    post(kept, server)
    assert closed.wait(60)
    assert post(kept, server).status == 200
    assert len(server.received) == 2


def test_a_drop_on_a_kept_connection_is_unknown_and_not_repeated(server: ScriptedServer) -> None:
    server.script = [answer(200, {}), drop, answer(200, {})]
    kept = Transport()
    post(kept, server)
    with pytest.raises(OutcomeUnknown) as caught:
        post(kept, server)
    assert caught.value.code == "connection_dropped"
    assert len(server.received) == 2


def test_a_certificate_nobody_vouches_for_is_certain(tls_server: ScriptedServer) -> None:
    with pytest.raises(RetryLater) as caught:
        post(Transport(), tls_server)
    assert caught.value.code == "connect_failed"
    assert tls_server.received == []


def test_over_tls_the_same_is_known(tls_server: ScriptedServer, certificate: Path) -> None:
    tls_server.script = [answer(200, {}), answer(200, {}), drop]
    trusting = Transport(ca_certs=str(certificate))
    for _ in range(2):
        assert post(trusting, tls_server).status == 200
    with pytest.raises(OutcomeUnknown) as caught:
        post(trusting, tls_server)
    assert caught.value.code == "connection_dropped"
    assert [request.connection for request in tls_server.received] == [1, 1, 1]


def test_an_upload_that_broke_off_was_certainly_not_carried_out() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def reset_soon() -> None:
        sock, _ = listener.accept()
        sock.recv(100)
        # Close with a reset instead of a friendly end, while most of the body is still on its way.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    thread = threading.Thread(target=reset_soon)
    thread.start()
    body = MultipartEncoder({"f": ("big.bin", io.BytesIO(bytes(30_000_000)), "application/octet-stream")})
    with pytest.raises(RetryLater) as caught:
        Transport().exchange("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", body=body, timeouts=QUICK)
    thread.join()
    listener.close()
    assert caught.value.code == "request_incomplete"


def test_a_file_that_cannot_be_read_to_its_end_is_certain(server: ScriptedServer) -> None:
    class Failing:
        len = 100_000

        def read(self, size: int = -1) -> bytes:
            raise OSError("disk")

    body = MultipartEncoder({"f": ("big.bin", Failing(), "application/octet-stream")})
    with pytest.raises(RetryLater) as caught:
        Transport().exchange("POST", server.url, body=body, timeouts=QUICK)
    assert caught.value.code == "request_incomplete"
    assert server.received == []


def test_the_deadline_is_checked_again_after_connecting(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    connect = transport._PlainConnection.connect

    def slow_connect(self: Any) -> None:
        connect(self)
        clock.now = 100.0

    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(transport._PlainConnection, "connect", slow_connect)
    with pytest.raises(RetryLater) as caught:
        post(Transport(), server, deadline=50.0)
    assert caught.value.code == "deadline_passed"
    assert server.received == []


def test_an_answer_that_trickles_ends(server: ScriptedServer) -> None:
    server.script = [answer(200, b"x" * 100_000)]
    with pytest.raises(OutcomeUnknown) as caught:
        post(Transport(), server, timeouts=Timeouts(connect=2, read=5, total=-1))
    assert caught.value.code == "read_timeout"


def test_an_answer_that_is_too_large_is_unknown(server: ScriptedServer) -> None:
    server.script = [answer(200, b"x" * 2000)]
    with pytest.raises(OutcomeUnknown) as caught:
        post(Transport(), server, max_bytes=1000)
    assert caught.value.code == "answer_too_large"


def test_a_chunked_answer_is_read_whole(server: ScriptedServer) -> None:
    def chunked(connection: Connection) -> bool:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sock.sendall(head + b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")
        return True

    server.script = [chunked, answer(200, {})]
    kept = Transport()
    assert post(kept, server).body == b"[1,2]"
    post(kept, server)
    assert [request.connection for request in server.received] == [1, 1]


def test_cookies_are_neither_kept_nor_sent(server: ScriptedServer) -> None:
    server.script = [answer(200, {}, {"Set-Cookie": "id=1; Path=/"}), answer(200, {})]
    kept = Transport()
    for _ in range(2):
        post(kept, server)
    assert "cookie" not in server.received[1].headers


def test_the_environment_does_not_redirect_requests(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.script = [answer(200, {})]
    assert post(Transport(), server).status == 200


def test_the_libraries_do_not_log_a_token(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # An application that was built in this process has made the library quiet.
    for name in ("urllib3", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    server.script = [answer(200, {}), drop]
    kept = Transport()
    post(kept, server)
    with pytest.raises(OutcomeUnknown):
        post(kept, server)
    assert "/bot[redacted]/sendMessage" in caplog.text
    assert "EXAMPLE" not in caplog.text


def test_many_threads_share_the_connections(server: ScriptedServer) -> None:
    total, threads = 120, 6
    server.script = [answer(200, {"n": number}) for number in range(total)]
    shared = Transport(pool_size=threads)
    bodies: list[bytes] = []

    def work() -> None:
        for _ in range(total // threads):
            bodies.append(post(shared, server, timeouts=Timeouts(5, 10, 10)).body)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(bodies)) == total
    assert server.connections <= threads


def test_the_moment_of_writing_is_known_once_the_whole_request_left(server: ScriptedServer) -> None:
    server.script = [answer(200, {})]
    transport.begin()
    assert transport.written_at() is None
    before = time.monotonic()
    post(Transport(), server)
    written = transport.written_at()
    assert written is not None
    assert before <= written <= time.monotonic()


def test_of_a_request_that_never_left_no_moment_is_known() -> None:
    transport.begin()
    with pytest.raises(RetryLater):
        Transport().exchange("POST", "http://127.0.0.1:9/x", json={})
    assert transport.written_at() is None
