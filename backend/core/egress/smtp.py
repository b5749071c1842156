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
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import certifi

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
    except (OSError, smtplib.SMTPException) as error:
        raise failure(error) from None
    try:
        yield connection
    finally:
        with suppress(OSError, smtplib.SMTPException):
            connection.quit()
        connection.close()


def send(connection: smtplib.SMTP, message: EmailMessage) -> None:
    """Sends one mail; returns when the server has taken it. Raises MailFailed."""
    try:
        connection.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        with suppress(OSError, smtplib.SMTPException):
            connection.rset()
        raise failure(error) from None


def failure(error: Exception) -> MailFailed:
    """What an error means: SMTP's 5xx are for good, everything else may go better later."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # The operator may correct it: nothing is wrong with the mail.
        return MailFailed("mail_login_refused", again=True)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return MailFailed("mail_recipient_refused", again=not codes or min(codes) < 500)
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return MailFailed("mail_refused", again=error.smtp_code < 500)
    if isinstance(error, ssl.SSLError):  # before ValueError, which some of them are as well
        return MailFailed("mail_tls_failed", again=True)
    if isinstance(error, smtplib.SMTPNotSupportedError | ValueError):
        return MailFailed("mail_unsupported", again=False)
    return MailFailed("mail_server_away", again=True)


def _connect(server: Server, seconds: float) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    connection: smtplib.SMTP
    if server.encrypted:
        connection = smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
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
