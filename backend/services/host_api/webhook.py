"""A bot's webhook from Python: registered, read, deleted; and updates that the host application received."""

from __future__ import annotations

from collections.abc import Mapping

from backend.channels import registry
from backend.core.errors import Conflict, Unauthorized
from backend.models import Sender
from backend.services import intake, senders
from backend.services.auth import audit
from backend.services.auth.attribution import HOST_APPLICATION
from backend.services.bots import resolution, telegram_lookup, webhooks
from backend.services.bots.webhooks import WebhookState
from backend.services.host_api.transactions import of_workspace


class TelegramWebhook:
    """The webhook of a bot of the database, or of the environment's own bot (without a name).

    Everything but `handle` asks Telegram, within seconds, and raises Invalid(`token_refused`, …) or Unavailable
    (`bot_unavailable`) where it refuses or cannot be asked; NotFound and Conflict(`bot_inactive`) as for messages.
    """

    def __init__(
        self, bot_name: str | None = None, *, bot_id: int | None = None, workspace_id: int | None = None
    ) -> None:
        self._bot_name, self._bot_id = bot_name, bot_id
        self._workspace_id = workspace_id

    def set(self, base_url: str | None = None, *, drop_pending: bool = False) -> str:
        """Has Telegram deliver the bot's updates here, or to `base_url`; returns the whole address."""
        with of_workspace(self._workspace_id), telegram_lookup.clear_errors():
            bot = self._bot()
            address = senders.register_webhook(bot, base_url=base_url, drop_pending=drop_pending)
            audit.record(HOST_APPLICATION, "bot.webhook_registered", f"sender:{bot.id}", drop_pending=drop_pending)
            return address

    def delete(self, *, drop_pending: bool = False) -> None:
        """Has Telegram keep the updates, so that they can be polled."""
        with of_workspace(self._workspace_id):
            bot = self._bot()
            with telegram_lookup.clear_errors():
                senders.unregister_webhook(bot, drop_pending=drop_pending)
            audit.record(HOST_APPLICATION, "bot.webhook_deleted", f"sender:{bot.id}", drop_pending=drop_pending)

    def info(self) -> WebhookState:
        """What Telegram says of it."""
        with of_workspace(self._workspace_id):
            return webhooks.webhook_state_of(self._bot())

    def handle(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Takes an update that the host application received; False for one that is known already.

        It is stored when this returns, and may be acknowledged then. Raises Unauthorized(`wrong_secret`).
        """
        with of_workspace(self._workspace_id):
            bot = self._bot()
            webhook = registry.spec(bot.channel).webhook
            if webhook is None or not webhook.verify(headers, body, senders.webhook_secrets_of(bot)):
                raise Unauthorized("wrong_secret", "The webhook secret is missing or wrong.")
            return intake.store(bot, body)

    def _bot(self) -> Sender:
        target = resolution.resolve(bot_name=self._bot_name, bot_id=self._bot_id, need_chats=False)
        if target.sender.source not in ("database", "environment"):
            raise Conflict("no_webhook", "A bot of TELEGRAM_BOT_CONFIGS only sends; it has no webhook here.")
        return target.sender
