"""What a bot can be asked and told apart from messages: who it is, its webhook, its commands, its chats, its
files.

Every method raises one of the five errors; those that only ask may always be asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from backend.channels.base import SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.inbound import Chat
from backend.channels.provider import Member
from backend.channels.telegram_bot import limits, reading, webhook
from backend.channels.telegram_bot.client import BotClient
from backend.channels.telegram_bot.errors import BARE_NOT_FOUND, GATEWAY_WAIT
from backend.channels.telegram_bot.operations import chat_id

NO_SUCH_METHOD = frozenset({"method_unknown", "not_found"})
"""Refusals of a server that lacks a method; Telegram's own has all of them."""
_CAPABILITIES = (
    "can_join_groups",
    "can_read_all_group_messages",
    "supports_inline_queries",
    "can_connect_to_business",
    "has_topics_enabled",
)


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """Where Telegram delivers updates, and how that goes. `url` is empty while polling."""

    url: str
    pending: int
    last_error: str | None
    last_error_at: datetime | None
    max_connections: int | None
    allowed_updates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BotCommand:
    """One entry of a bot's menu: name without the slash, description of 1 to 256 characters."""

    name: str
    description: str


class Administration:
    """Administrative Bot API methods over a client's connections; tokens are given at each call."""

    def __init__(self, client: BotClient) -> None:
        self._client = client

    def _call(self, token: str, method: str, params: Mapping[str, Any] | None = None, *, waits: float = 0.0) -> Any:
        """A method's result. Raises `Rejected("method_unknown")` for one that the server does not have."""
        try:
            return self._client.call(token, method, params, waits=waits)
        except SenderDisabled as refusal:
            raise self.confirmed(token, refusal) from None

    def confirmed(self, token: str, refusal: SenderDisabled) -> SenderDisabled | Rejected:
        """A bare 404 is what Telegram says to an unknown token, and other servers to a method they do not have:
        getMe tells which, so that one missing method does not stop a bot. Raises what getMe raises, and that
        certainly did nothing either."""
        if refusal.code != BARE_NOT_FOUND:
            return refusal
        try:
            self.get_me(token)
        except OutcomeUnknown as unknown:
            raise RetryLater(GATEWAY_WAIT, unknown.code) from None
        except SenderDisabled as confirmed:
            return confirmed
        return Rejected("method_unknown")

    def get_me(self, token: str) -> SenderFacts:
        """The bot's own account. `can_read_all_group_messages` false means that privacy mode is on."""
        value = _mapping(self._client.call(token, "getMe"))
        person = reading.person_of(value)
        if person is None:
            raise OutcomeUnknown("unreadable_answer")
        flags = {name: value.get(name) is True for name in _CAPABILITIES}
        return SenderFacts(external_id=person.id, username=person.username, name=person.name, capabilities=flags)

    def set_webhook(
        self,
        token: str,
        url: str,
        secret: str,
        *,
        allowed_updates: Sequence[str] = webhook.UPDATES,
        max_connections: int = 40,
        drop_pending: bool = False,
    ) -> None:
        """Have updates delivered to `url`, with the secret in a header. The kinds of updates are always
        stated, because leaving them out keeps whatever was set before. Raises `Rejected("webhook_refused")`
        with Telegram's reason."""
        params = {
            "url": url,
            "secret_token": secret,
            "allowed_updates": list(allowed_updates),
            "max_connections": max_connections,
            "drop_pending_updates": drop_pending or None,
        }
        self._call(token, "setWebhook", params)

    def delete_webhook(self, token: str, *, drop_pending: bool = False) -> None:
        """Stop deliveries, so that the bot can be polled."""
        self._call(token, "deleteWebhook", {"drop_pending_updates": drop_pending or None})

    def get_webhook_info(self, token: str) -> WebhookInfo:
        """The webhook's address and its last failure."""
        value = _mapping(self._call(token, "getWebhookInfo"))
        allowed = value.get("allowed_updates")
        return WebhookInfo(
            url=reading.text_of(value.get("url")),
            pending=reading.size_of(value.get("pending_update_count")) or 0,
            last_error=reading.optional_text(value.get("last_error_message")),
            last_error_at=reading.time_of(value.get("last_error_date")),
            max_connections=reading.size_of(value.get("max_connections")),
            allowed_updates=tuple(reading.text_of(update_type) for update_type in allowed)
            if isinstance(allowed, list)
            else (),
        )

    def get_updates(
        self,
        token: str,
        *,
        offset: int | None = None,
        timeout: int = 25,
        limit: int = 100,
        allowed_updates: Sequence[str] = webhook.UPDATES,
    ) -> list[dict[str, Any]]:
        """Waiting updates, at most `limit`, as Telegram's own JSON objects; waits up to `timeout` seconds for
        the first. `offset` confirms all below it. Raises `Rejected("webhook_is_set")` while there is a
        webhook and `RetryLater("other_poller")` while somebody else polls."""
        params = {
            "offset": offset,
            "timeout": timeout,
            "limit": limit,
            "allowed_updates": list(allowed_updates),
        }
        updates = self._call(token, "getUpdates", params, waits=float(timeout))
        if not isinstance(updates, list):
            raise OutcomeUnknown("unreadable_answer")
        return [update for update in updates if isinstance(update, dict)]

    def set_my_commands(self, token: str, commands: Sequence[BotCommand], *, language: str | None = None) -> None:
        """Show this menu to people of this language (two letters), or to all others."""
        listed = [{"command": command.name, "description": command.description} for command in commands]
        self._call(token, "setMyCommands", {"commands": listed, "language_code": language})

    def get_chat(self, token: str, chat: str) -> Chat:
        """A chat by its id or `@name`. Raises `RecipientUnreachable("chat_not_found")`."""
        described = reading.chat_of(self._call(token, "getChat", {"chat_id": chat_id(chat)}))
        if described is None:
            raise OutcomeUnknown("unreadable_answer")
        return described

    def get_chat_member(self, token: str, chat: str, user_id: str) -> Member:
        """One person's status in a chat: creator, administrator, member, restricted, left or kicked."""
        params = {"chat_id": chat_id(chat), "user_id": chat_id(user_id)}
        member = _member(self._call(token, "getChatMember", params))
        if member is None:
            raise OutcomeUnknown("unreadable_answer")
        return member

    def get_chat_administrators(self, token: str, chat: str) -> list[Member]:
        """The people and bots that administer a chat."""
        listed = self._call(token, "getChatAdministrators", {"chat_id": chat_id(chat)})
        if not isinstance(listed, list):
            raise OutcomeUnknown("unreadable_answer")
        return [member for value in listed if (member := _member(value)) is not None]

    def download(self, token: str, file_id: str, sink: BinaryIO, *, max_bytes: int = limits.DOWNLOAD_BYTES) -> int:
        """Write a received file into `sink`; see `BotClient.download`."""
        return self._client.download(token, file_id, sink, max_bytes=max_bytes)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OutcomeUnknown("unreadable_answer")
    return value


def _member(value: object) -> Member | None:
    if not isinstance(value, dict) or (person := reading.person_of(value.get("user"))) is None:
        return None
    status = reading.text_of(value.get("status"))
    return Member(person, status in ("creator", "administrator"), status)
