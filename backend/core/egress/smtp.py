"""Sending e-mail by SMTP: one server, named in the configuration, with certificates checked and everything timed.

A password never goes over a connection that is not encrypted, unless the server is on this very machine.
"""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

import certifi

if TYPE_CHECKING:
    _Base = smtplib.SMTP
else:
    _Base = object

MAX_REPLY_LINES: Final = 1000
SECONDS: Final = 15.0
"""For connecting and for each answer."""


class SmtpUrlError(ValueError):
    """SMTP_URL cannot be used. The message never shows its value."""


class MailFailed(Exception):
    """A mail was not sent. `code` names the reason; `again` says whether a later try may succeed."""

    def __init__(self, code: str, *, again: bool) -> None:
        super().__init__(code)
        self.code = code
        self.again = again


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes, and as whom. `encrypted`: TLS from the first byte; otherwise STARTTLS where it is offered."""

    host: str
    port: int
    encrypted: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sender: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(url: str, *, site_url: str = "") -> Server:
    """Reads `smtp://user:password@host:587?from=alerts@example.com` (or `smtps://`, port 465). Raises SmtpUrlError.

    Without `from` the sender is the user where that is an address, else `switchboard@` the site's host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SmtpUrlError("is not an smtp:// or smtps:// address") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise SmtpUrlError("is not an smtp:// or smtps:// address")
    encrypted = parts.scheme == "smtps"
    user = unquote(parts.username or "")
    sender = (parse_qs(parts.query).get("from") or [""])[0]
    if not sender:
        sender = user if "@" in user else f"switchboard@{urlsplit(site_url).hostname or 'localhost'}"
    if "@" not in sender or any(character in sender for character in "\r\n<>, "):
        raise SmtpUrlError("has a from that is no e-mail address")
    return Server(
        parts.hostname, port or (465 if encrypted else 587), encrypted, user, unquote(parts.password or ""), sender
    )


@contextmanager
def session(server: Server, *, seconds: float = SECONDS) -> Iterator[smtplib.SMTP]:
    """A connection on which mails can be sent one after the other. Raises MailFailed."""
    try:
        connection = _connect(server, seconds)
    except MailFailed:
        raise
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise failure(error, connecting=True) from None
    try:
        yield connection
    finally:
        with suppress(OSError, smtplib.SMTPException, ValueError):
            connection.quit()
        connection.close()


def send(connection: smtplib.SMTP, message: EmailMessage) -> None:
    """Sends one mail; returns when the server has taken it. Raises MailFailed."""
    try:
        connection.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        with suppress(OSError, smtplib.SMTPException, ValueError):
            connection.rset()
        raise failure(error) from None


def failure(error: Exception, *, connecting: bool = False) -> MailFailed:
    """What an error means: SMTP's codes from 500 to 599 are for good, everything else may go better later.

    While `connecting` no mail has been spoken of yet, so nothing is refused for good.
    """
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # The operator may correct it: nothing is wrong with the mail.
        return MailFailed("mail_login_refused", again=True)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return MailFailed("mail_recipient_refused", again=not codes or not all(map(_is_final, codes)))
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return MailFailed("mail_refused", again=not _is_final(error.smtp_code))
    if isinstance(error, ssl.SSLError):  # before ValueError, which some of them are as well
        return MailFailed("mail_tls_failed", again=True)
    if not connecting and isinstance(error, smtplib.SMTPNotSupportedError | ValueError):
        return MailFailed("mail_unsupported", again=False)
    return MailFailed("mail_server_away", again=True)


def _is_final(code: object) -> bool:
    """Whether a server's code refuses for good; `smtplib` gives -1 for what is no number, and any three digits."""
    return isinstance(code, int) and 500 <= code <= 599


class _BoundedReplies:
    """The server's side of a connection, as `smtplib` reads it; one reply has at most `MAX_REPLY_LINES` lines.

    A reply's lines go on for as long as each says so (RFC 5321 §4.2.1), and `smtplib` keeps them all.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.lines = 0

    def readline(self, size: int = -1) -> bytes:
        self.lines += 1
        if self.lines > MAX_REPLY_LINES:
            raise OSError("the reply does not end")
        return self._file.readline(size)

    def close(self) -> None:
        self._file.close()


class _Replies(_Base):
    """Mixed into smtplib's connections: bounds each reply."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = cast("Any", _BoundedReplies(self.sock.makefile("rb")))
        if isinstance(self.file, _BoundedReplies):
            self.file.lines = 0
        return super().getreply()


class _Plain(_Replies, smtplib.SMTP):
    pass


class _Encrypted(_Replies, smtplib.SMTP_SSL):
    pass


def _connect(server: Server, seconds: float) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    connection: smtplib.SMTP
    if server.encrypted:
        connection = _Encrypted(server.host, server.port, timeout=seconds, context=context)
    else:
        connection = _Plain(server.host, server.port, timeout=seconds)
    try:
        connection.ehlo_or_helo_if_needed()
        if not server.encrypted and connection.has_extn("starttls") and not server.is_local:
            connection.starttls(context=context)
            connection.ehlo()
        elif not server.encrypted and server.password and not server.is_local:
            raise MailFailed("mail_tls_missing", again=True)
        if server.user and server.password:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection
