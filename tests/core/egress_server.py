"""A small server on loopback that answers bytes as a test says, and stands in for hosts on the public network."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.core.egress import Egress


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire; header names in lower case."""

    method: str
    resource: str
    headers: Mapping[str, str]
    body: bytes


Answer = bytes | Iterable[bytes]
Handler = Callable[[Request], Answer]


def answer(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """An answer's bytes; `Content_Type="a/b"` becomes the header `Content-Type`."""
    fields = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@dataclass
class Network:
    """What a test sees of the world: names and their addresses, the server behind all of them, what was asked."""

    port: int
    names: dict[str, list[list[str]]]
    requests: list[Request] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)

    def resolve(self, host: str, port: int) -> list[str]:
        """The next of a name's answers; the last one stays."""
        self.resolved.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        """Every address leads to the server of the test; which one was asked for is kept."""
        self.connected.append(address)
        if address[0] in self.unreachable:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def egress(
        self,
        allow_private: bool = False,
        *,
        allowed_ports: frozenset[int] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Egress:
        """A client in this network."""
        return Egress(
            allow_private,
            allowed_ports=allowed_ports,
            ssl_context=ssl_context,
            resolver=self.resolve,
            connector=self.connect,
            monotonic=monotonic,
        )


@contextmanager
def network(
    handler: Handler, *, names: Mapping[str, list[list[str]]] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Network]:
    """Runs the server; `public.example` has a public address unless `names` says otherwise."""
    listener = socket.create_server(("127.0.0.1", 0))
    known = {"public.example": [["93.184.216.34"]]} | dict(names or {})
    made = Network(listener.getsockname()[1], known)
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: made.server_names.append(name)
    threads: list[threading.Thread] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=_converse, args=(client, handler, made, tls), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=serve, daemon=True)
    acceptor.start()
    try:
        yield made
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(60)


def _converse(client: socket.socket, handler: Handler, made: Network, tls: ssl.SSLContext | None) -> None:
    with client:
        try:
            connection = tls.wrap_socket(client, server_side=True) if tls else client
            with connection:
                if tls is None and connection.recv(1, socket.MSG_PEEK) == b"\x16":
                    connection.sendall(answer("400 Bad Request"))  # a TLS greeting, where none is spoken
                    return
                request = _read(connection)
                if request is None:
                    return
                made.requests.append(request)
                given = handler(request)
                for piece in [given] if isinstance(given, bytes) else given:
                    connection.sendall(piece)
        except OSError:
            return  # the client under test hung up, which it is expected to do


def _read(connection: socket.socket) -> Request | None:
    file = connection.makefile("rb")
    first = file.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := file.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[0], first[1], headers, file.read(int(headers.get("content-length", "0"))))


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts for a server called `name`, and for a client that trusts its authority."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Test authority", authority_key, "Test authority", authority_key, True)
    leaf = _certificate(name, server_key, "Test authority", authority_key, False)
    pem = serialization.Encoding.PEM
    key = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(key + leaf.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(cadata=authority.public_bytes(pem).decode())
    return server, client


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
