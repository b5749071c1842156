"""What a call about bots or links is made with; see `objects`."""

from __future__ import annotations

from backend.core import clock
from backend.models import User
from tests.http import holdings
from tests.http.objects import Example, example

# --- Telegram --------------------------------------------------------------------------------------------


@example("telegram.link_account")
def _link_account(caller: User) -> Example:
    own = holdings.bot(holdings.home(caller))
    return Example(query={"bot": str(own.id)}, foreign=[{"query": {"bot": str(own.id)}}])


@example("telegram.verify_link")
def _verify(caller: User) -> Example:
    token, chat_id = holdings.redeemed_token(caller)
    body = {"token": token, "chat_id": chat_id}
    return Example(json=body, foreign=[{"json": body}])


@example("telegram.status", "telegram.unlink_account", "telegram.diagnostics")
def _own_link(caller: User) -> Example:
    holdings.linked(caller)
    own = holdings.bot(holdings.home(caller))
    return Example(foreign=[{"query": {"bot": str(own.id)}}])


@example("telegram.send_test_message")
def _send_test(caller: User) -> Example:
    holdings.linked(caller)
    return Example()


@example("provider_webhooks.telegram_bot")
def _default_webhook(caller: User) -> Example:
    holdings.default_bot(caller)
    return Example(json={"update_id": 1}, headers={"X-Telegram-Bot-Api-Secret-Token": "test-webhook-secret"})


@example("provider_webhooks.telegram_bot_by_id")
def _webhook(caller: User) -> Example:
    bot = holdings.bot(holdings.home(caller), secret="a-secret-of-its-own")
    headers = {"X-Telegram-Bot-Api-Secret-Token": "a-secret-of-its-own"}
    return Example(path={"sender_id": bot.id}, json={"update_id": 1}, headers=headers)


# --- bots ------------------------------------------------------------------------------------------------

BOT_TOKEN = "4242:FAKE-TOKEN-visibly-fake-for-examples"


@example("bots.listing")
def _bots(caller: User) -> Example:
    holdings.bot(holdings.home(caller))
    return Example(query={"limit": 1})


@example("bots.create")
def _create_bot(_caller: User) -> Example:
    number = int(clock.unix() * 1e6)
    body = {"name": f"deploy {number}", "token": f"{number}:FAKE-TOKEN-visibly-fake", "chat_ids": ["-1001234567890"]}
    return Example(json=body, status=201)


@example("bots.show", "bots.validate", "bots.sync_info", "bots.rotate_secret", "bots.webhook_info")
@example("bots.discover_chats")
def _bot(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id})


@example("bots.remove")
def _remove_bot(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, status=204)


@example("bots.change")
def _change_bot(caller: User) -> Example:
    body = {"chat_ids": ["-1001234567890"], "message_thread_id": "42"}
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, json=body)


@example("bots.send_test")
def _test_bot(caller: User) -> Example:
    own = holdings.bot(holdings.home(caller))
    return Example(path={"bot_id": own.id}, json={"message": "Hello", "chat_id": "5001"}, status=202)


@example("bots.register_webhook", "bots.delete_webhook")
def _bot_webhook(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, json={})


@example("bots.validate_token", "bots.discover_chats_of_token")
def _token_to_ask(_caller: User) -> Example:
    return Example(json={"token": BOT_TOKEN})


@example("bots.look_up_chat")
def _chat_to_ask(_caller: User) -> Example:
    return Example(json={"token": BOT_TOKEN, "chat": "@example"})
