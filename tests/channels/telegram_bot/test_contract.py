"""The bot channel keeps what every channel promises."""

from __future__ import annotations

from pathlib import Path

from backend.channels import registry, richtext
from backend.channels.base import Content, Credentials, Operation
from backend.channels.telegram_bot import TelegramBot, TelegramProvider, formatting
from backend.core import config
from tests.channels.contract import ChannelContract
from tests.channels.provider_contract import PICTURE, REGISTRATION
from tests.channels.scripted_server import Step, answer, ok
from tests.channels.telegram_bot.conftest import CREDENTIALS, bot_at


class TestTelegramBot(ChannelContract):
    name = "telegram_bot"
    message_id = "77"
    credentials: Credentials = CREDENTIALS
    operation = Operation("send", chat_id="42", content=Content("hello"))

    def channel_at(self, url: str) -> TelegramBot:
        return bot_at(url)

    def accepted(self) -> Step:
        return ok({"message_id": 77, "date": 1700000000, "chat": {"id": 42, "type": "private"}, "text": "hello"})

    def signed(self, body: bytes) -> dict[str, str]:
        return {"X-Telegram-Bot-Api-Secret-Token": self.secret}

    @property
    def bodies(self) -> list[bytes]:
        folder = Path(__file__).parents[2] / "payloads" / "telegram"
        return [path.read_bytes() for path in sorted(folder.glob("*.json"))]

    def provider_at(self, url: str) -> TelegramProvider:
        return TelegramProvider(url, bot_at(url).administration)

    account_id = "123456"

    @property
    def provider_answers(self) -> dict[str, list[Step]]:
        ada = {"user": {"id": 5, "first_name": "Ada"}, "status": "creator"}
        return {
            "probe": [ok({"id": 123456, "is_bot": True, "first_name": "Example", "username": "example_bot"})],
            "register_webhook": [ok(True)],
            "unregister_webhook": [ok(True)],
            "webhook_status": [ok({"url": REGISTRATION.address, "pending_update_count": 2})],
            "chat": [ok({"id": -1001, "type": "supergroup", "title": "Team"})],
            "members": [ok([ada])],
            "member": [ok(ada)],
            "download": [ok({"file_path": "photos/1.png"}), answer(200, PICTURE)],
        }

    def units(self, content: Content) -> tuple[int, int]:
        visible = richtext.visible(formatting.runs_of(content.text, content.format))
        return len(visible.encode("utf-16-le")) // 2, 1024 if content.media else 4096


def test_the_registry_makes_one_channel_from_the_settings() -> None:
    before = config._current
    registry.clear()
    try:
        config.use(config.Settings(telegram_api_url="http://127.0.0.1:9", dispatch_connections=3))
        made = registry.get("telegram_bot")
        assert isinstance(made, TelegramBot)
        assert registry.get("telegram_bot") is made
    finally:
        config._current = before
        registry.clear()
