"""A small mail server on loopback that keeps what it takes, and refuses what it is told to refuse."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "mailer@example.com", "not-a-real-password"


class MailServer:
    """What arrived, and how to answer."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuse_recipient: str | None = None
        self.refuse_data: str | None = None
        self.close_after_data = False
        self.url = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """A recipient is named."""
        if self.refuse_recipient is not None:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A mail has come."""
        if self.refuse_data is not None:
            return self.refuse_data
        self.recipients += envelope.rcpt_tos
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.close_after_data:
            server.transport.abort()
        return "250 OK"


@contextmanager
def mail_server(*, login: bool = False, tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """Runs one; with `login` it wants USER and PASSWORD, with `tls` it is encrypted from the first byte."""
    made = MailServer()
    options: dict[str, Any] = {}
    if login:
        options |= {
            "auth_required": True,
            "auth_require_tls": False,
            "authenticator": lambda server, session, envelope, mechanism, data: AuthResult(
                success=isinstance(data, LoginPassword) and data.password == PASSWORD.encode(), handled=False
            ),
        }
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(
            lambda: SMTP(made, hostname="mail.example.com", loop=loop, **options), "127.0.0.1", 0, ssl=tls
        )
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = server.sockets[0].getsockname()[1]
    made.url = f"{'smtps' if tls else 'smtp'}://127.0.0.1:{port}?from=switchboard@example.com"
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
