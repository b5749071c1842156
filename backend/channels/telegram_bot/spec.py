"""What the channel `telegram_bot` declares about itself."""

from __future__ import annotations

from typing import Final

from backend.channels.capabilities import Capabilities, Length, Sizes
from backend.channels.spec import ChannelSpec, EnvironmentSender, Webhook, WebhookRoute
from backend.channels.telegram_bot import limits, webhook
from backend.channels.telegram_bot.channel import TelegramBot
from backend.channels.telegram_bot.client import BotClient
from backend.channels.telegram_bot.provider import provider
from backend.channels.telegram_bot.tokens import bot_id_of
from backend.core import config

NAME: Final = "telegram_bot"


def create() -> TelegramBot:
    """The channel as the process's settings describe it: the API's address, one connection per dispatch
    thread."""
    settings = config.get()
    return TelegramBot(BotClient(settings.telegram_api_url, pool_size=settings.dispatch_connections))


def _environment(settings: config.Settings) -> EnvironmentSender | None:
    if not settings.telegram_bot_token:
        return None
    return EnvironmentSender(settings.telegram_bot_token, settings={"webhook_secret": settings.telegram_webhook_secret})


SPEC: Final = ChannelSpec(
    name=NAME,
    family="telegram",
    create=create,
    capabilities=Capabilities(
        edit=True, delete=True, typing=True, formatting=True, groups=True, topics=True, reply_to=True
    ),
    sizes=Sizes(
        text=Length(limits.TEXT_UNITS, "utf16"),
        caption=Length(limits.CAPTION_UNITS, "utf16"),
        media_bytes={"photo": limits.PHOTO_BYTES}
        | dict.fromkeys(("document", "video", "audio", "voice", "sticker"), limits.UPLOAD_BYTES),
        buttons=limits.BUTTONS,
        button_data=Length(limits.CALLBACK_DATA_BYTES, "bytes"),
    ),
    webhook=Webhook(
        routes=(WebhookRoute("/telegram/webhook"), WebhookRoute("/api/telegram/webhook/{sender_id}/")),
        verify=webhook.verify,
        split=webhook.split,
        parse=webhook.parse,
        headers=frozenset({webhook.SECRET_HEADER.lower()}),
        max_bytes=1024 * 1024,
        header_only=True,
        secret_settings=("webhook_secret",),
        chooses_secret=True,
        secret_missing="The default bot's webhook needs TELEGRAM_WEBHOOK_SECRET to be set.",  # noqa: S106 - a message
        unknown_sender=("no_such_bot", "There is no such bot here."),
        wrong_secret="The webhook secret is missing or wrong.",  # noqa: S106 - a message
        too_large="An update holds at most {max_bytes} bytes.",
    ),
    environment=_environment,
    id_in_token=bot_id_of,
    provider=provider,
)
