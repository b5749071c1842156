"""A bot talking to a scripted server instead of Telegram."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.channels.base import Credentials
from backend.channels.telegram_bot import BotClient, TelegramBot
from backend.channels.transport import Timeouts
from tests.channels.scripted_server import ScriptedServer, scripted_server

TOKEN = "123456:EXAMPLE-not-a-real-token-0000000000"
CREDENTIALS = Credentials(TOKEN)


def bot_at(url: str) -> TelegramBot:
    """The channel at this address, impatient."""
    return TelegramBot(BotClient(url, timeouts=Timeouts(connect=2.0, read=0.3, total=2.0)))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def bot(server: ScriptedServer) -> TelegramBot:
    return bot_at(server.url)
