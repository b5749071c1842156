"""A process that stands still keeps its sockets open: the server ends its connections before a successor connects."""

from __future__ import annotations

import asyncio

import pytest

from backend.channels.telegram_user import connection, server, session_text
from backend.channels.telegram_user.connection import AccountConnection
from backend.core import config
from backend.core.leases import LONG
from backend.models import Account
from backend.services import senders
from tests.support.telegram_box import TelegramBox


def test_the_server_waits_shorter_for_a_ping_than_a_successor_for_the_lease() -> None:
    """The last renewal is as old as the last ping at most, or older by one round of either."""
    latest = LONG.renew_every + connection.DISCONNECT_AFTER
    assert latest < LONG.seconds + LONG.grace
    assert 2 * connection.PING_EVERY < connection.DISCONNECT_AFTER


def test_a_connection_that_falls_silent_is_closed_by_the_server(
    account: Account, box: TelegramBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = senders.by_id(account.sender_id)
    assert sender is not None
    session = session_text.load(sender.credentials or "")
    monkeypatch.setattr(connection, "DISCONNECT_AFTER", 1)
    monkeypatch.setattr(connection, "PING_EVERY", 60.0)

    async def fall_silent() -> bool:
        server.trust_key(config.get().telegram_mtproto_server)
        made = AccountConnection(session, 12345, device="test", version="1")
        await made.connect()
        assert made.is_connected
        try:
            async with asyncio.timeout(20):
                while made.is_connected:  # noqa: ASYNC110 - the library tells nobody
                    await asyncio.sleep(0.05)
        finally:
            await made.disconnect()
        return True

    assert asyncio.run(fall_silent())
