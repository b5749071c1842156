"""SMTP: the address, the certificate, the login, and what each refusal means."""

from __future__ import annotations

import contextlib
import datetime
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend.core.config import ConfigurationError, load
from backend.core.egress import smtp
from backend.core.egress.smtp import MailFailed, Server, SmtpUrlError
from backend.core.startup import begin
from tests.support.mail_server import PASSWORD, mail_server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", Server("mail.example.com", 587, False, sender="switchboard@app.example.com")),
        ("smtps://mail.example.com", Server("mail.example.com", 465, True, sender="switchboard@app.example.com")),
        ("smtp://mail.example.com:25?from=a@b.example", Server("mail.example.com", 25, False, sender="a@b.example")),
        (
            "smtps://alerts%40example.com:p%3Ass@mail.example.com",
            Server("mail.example.com", 465, True, "alerts@example.com", "p:ss", "alerts@example.com"),
        ),
        (
            "smtp://user:secret@mail.example.com/",
            Server("mail.example.com", 587, False, "user", "secret", "switchboard@app.example.com"),
        ),
    ],
)
def test_the_address_is_read(url: str, expected: Server) -> None:
    assert smtp.parse(url, site_url="https://app.example.com") == expected


@pytest.mark.parametrize(
    "url",
    ["", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://x:port", "smtp://x?from=nobody",
     "smtp://x?from=a@b%0d%0aBcc:c@d"],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SmtpUrlError) as refused:
        smtp.parse(url)
    assert url in ("", "smtp://") or url not in str(refused.value)


def test_a_bad_address_is_named_at_start_up(environment: dict[str, str]) -> None:
    settings = load(environment)
    try:
        with pytest.raises(ConfigurationError, match="SMTP_URL is not") as refused:
            begin(load(environment | {"SMTP_URL": "mail.example.com:hunter2"}))
        assert "hunter2" not in str(refused.value)
    finally:
        begin(settings)


def test_passwords_do_not_show(environment: dict[str, str]) -> None:
    assert "hunter2" not in repr(smtp.parse("smtp://user:hunter2@mail.example.com"))
    assert "hunter2" not in repr(load(environment | {"SMTP_URL": "smtp://user:hunter2@mail.example.com"}))


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), "mail_login_refused", True),
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"no")}), "mail_recipient_refused", False),
        (smtplib.SMTPRecipientsRefused({"a@b": (450, b"later")}), "mail_recipient_refused", True),
        (smtplib.SMTPSenderRefused(553, b"no", "a@b"), "mail_refused", False),
        (smtplib.SMTPDataError(554, b"no"), "mail_refused", False),
        (smtplib.SMTPDataError(451, b"later"), "mail_refused", True),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), "mail_unsupported", False),
        (smtplib.SMTPServerDisconnected("gone"), "mail_server_away", True),
        (smtplib.SMTPConnectError(421, "busy"), "mail_server_away", True),
        (ConnectionRefusedError(), "mail_server_away", True),
        (TimeoutError(), "mail_server_away", True),
        (ssl.SSLCertVerificationError(), "mail_tls_failed", True),
    ],
)
def test_what_an_error_means(error: Exception, code: str, again: bool) -> None:
    failed = smtp.failure(error)
    assert (failed.code, failed.again) == (code, again)


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "switchboard@example.com", "ada@example.com", "hello"
    made.set_content("text")
    return made


def send(url: str) -> None:
    with smtp.session(smtp.parse(url), seconds=5) as connection:
        smtp.send(connection, message())


def test_a_mail_arrives() -> None:
    with mail_server() as server:
        send(server.url)
    assert [mail["Subject"] for mail in server.mails] == ["hello"]


def test_a_login_is_made_and_a_wrong_one_is_named() -> None:
    with mail_server(login=True) as server:
        send(server.url.replace("smtp://", f"smtp://mailer%40example.com:{PASSWORD}@"))
        with pytest.raises(MailFailed, match="mail_login_refused"):
            send(server.url.replace("smtp://", "smtp://mailer%40example.com:wrong@"))
    assert len(server.mails) == 1


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(MailFailed, match="mail_server_away"):
        send("smtp://127.0.0.1:1")


def test_a_password_does_not_go_in_the_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "is_local", False)
    with mail_server(login=True) as server, pytest.raises(MailFailed, match="mail_tls_missing"):
        send(server.url.replace("smtp://", f"smtp://mailer:{PASSWORD}@"))
    assert server.mails == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody has signed, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


def test_a_certificate_nobody_vouches_for_is_refused(certificate: tuple[Path, ssl.SSLContext]) -> None:
    with mail_server(tls=certificate[1]) as server, pytest.raises(MailFailed, match="mail_tls_failed"):
        send(server.url)
    assert server.mails == []


def test_one_that_is_trusted_is_taken(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certifi.where", lambda: str(certificate[0]))
    with mail_server(tls=certificate[1]) as server:
        send(server.url)
    assert len(server.mails) == 1


class Raw:
    """A server that says these bytes, whatever it is told."""

    def __init__(self, *replies: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.replies = replies
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.listener.getsockname()[1], False, "u", "p", sender="a@b.example")

    def _serve(self) -> None:
        with self.listener.accept()[0] as client, contextlib.suppress(OSError):
            for reply in self.replies:
                client.sendall(reply)
                client.recv(65536)

    def close(self) -> None:
        self.thread.join(60)
        self.listener.close()


@pytest.mark.parametrize(
    "replies",
    [
        (b"abc\r\n",),
        (b"-20 hello\r\n",),
        (b"999 hello\r\n",),
        (b"\xff\xfe\x00\r\n",),
        (b"220 " + b"x" * 100_000 + b"\r\n",),
        (b"220-more\r\n" * 50_000,),
        (b"220 ok\r\n", b"250-AUTH CRAM-MD5\r\n250 OK\r\n", b"334 !!!notbase64\r\n"),
        (b"220 ok\r\n", b"250-AUTH CRAM-MD5\r\n250 OK\r\n", b"334 /////w==\r\n", b"535 no\r\n"),
        (b"220 ok\r\n", b"250-SIZE 99999999999999999999\r\n250-AUTH PLAIN\r\n250 OK\r\n", b"99999 ok\r\n"),
    ],
)
def test_a_server_that_talks_nonsense_is_away_and_never_more(replies: tuple[bytes, ...]) -> None:
    raw = Raw(*replies)
    try:
        with pytest.raises(MailFailed) as failed, smtp.session(raw.server, seconds=5):
            pass
        assert failed.value.again
    finally:
        raw.close()


@pytest.mark.parametrize(
    ("code", "again"), [(421, True), (450, True), (499, True), (500, False), (554, False), (600, True), (-1, True)]
)
def test_only_codes_of_the_five_hundreds_are_for_good(code: int, again: bool) -> None:
    assert smtp.failure(smtplib.SMTPDataError(code, b"no")).again is again
    assert smtp.failure(smtplib.SMTPRecipientsRefused({"a@b.example": (code, b"no")})).again is again
