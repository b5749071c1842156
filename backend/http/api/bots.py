"""Bots of the workspace, and asking Telegram about bots, tokens and chats."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.bots import (
    BotChange,
    BotIn,
    BotOut,
    Bots,
    ChatOut,
    Deleted,
    DiscoveryOut,
    LookUpIn,
    Registered,
    Rotated,
    SyncOut,
    TestIn,
    TestOut,
    TokenIn,
    ValidityOut,
    WebhookIn,
    WebhookOut,
)
from backend.services.bots import catalog, discovery, facts, operations, serializers, test_message, webhooks

bp = APIBlueprint("bots", __name__, url_prefix="/api", tag="Bots")

_AWAY = {503: "`bot_unavailable`: Telegram cannot be asked at the moment"}


@bp.get("/telegram-bots")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Bots)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List the workspace's bots"""
    bots, following = catalog.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"telegram_bots": serializers.shown(bots), "next_cursor": following}


@bp.post("/telegram-bots")
@access("admin", idempotent=True)
@bp.input(BotIn)
@bp.output(BotOut, status_code=201)
@bp.doc(responses={409: "`bot_exists`, `token_in_use`, `too_many_bots`", 422: "Also `token_refused`", **_AWAY})
def create(json_data: BotIn) -> Any:
    """Add a bot

    Telegram is asked whose token it is first; nothing is stored where it refuses or cannot be asked.
    """
    given = json_data.model_dump()
    token = catalog.checked(given)["token"]
    identity = guards.ask_and_rerun(lambda: operations.who_is(token))
    return serializers.bot_json(catalog.create(guards.attribution(), given, identity))


@bp.get("/telegram-bots/<int:bot_id>")
@access()
@bp.output(BotOut)
def show(bot_id: int) -> Any:
    """Show a bot"""
    return serializers.bot_json(catalog.get(bot_id))


@bp.patch("/telegram-bots/<int:bot_id>")
@access("admin")
@bp.input(BotChange)
@bp.output(BotOut)
@bp.doc(responses={409: "`bot_exists`, `another_bot`", **_AWAY})
def change(bot_id: int, json_data: BotChange) -> Any:
    """Change a bot

    What is left out stays. A new token has to be the same bot's.
    """
    given = json_data.model_dump(exclude_unset=True)
    return serializers.bot_json(operations.change(guards.attribution(), bot_id, given))


@bp.delete("/telegram-bots/<int:bot_id>")
@access("admin")
@bp.output({}, status_code=204)
def remove(bot_id: int) -> Response:
    """Remove a bot

    Its links end, what waited is canceled, its token and chats are forgotten; its messages stay.
    """
    operations.remove(guards.attribution(), bot_id)
    return Response(status=204)


@bp.post("/telegram-bots/<int:bot_id>/test")
@access("operator", idempotent=True)
@bp.input(TestIn)
@bp.output(TestOut, status_code=202)
@bp.doc(responses={409: "`bot_inactive`"})
def send_test(bot_id: int, json_data: TestIn) -> dict[str, Any]:
    """Send a test message

    Answers once it is stored, for each of the bot's chats or for the one that is named.
    """
    messages = test_message.send_test(
        guards.attribution(),
        bot_id,
        text=json_data.message,
        chat_id=json_data.chat_id,
        thread_id=json_data.message_thread_id,
    )
    return {"message": "Test message queued", "message_ids": [message.id for message in messages]}


@bp.post("/telegram-bots/<int:bot_id>/validate")
@access("admin")
@bp.output(ValidityOut)
@bp.doc(responses=_AWAY)
def validate(bot_id: int) -> dict[str, Any]:
    """Ask Telegram whether it accepts the bot's token

    A refused token switches the bot off, an accepted one on again.
    """
    return serializers.validity(facts.validate(guards.attribution(), bot_id))


@bp.post("/telegram-bots/<int:bot_id>/sync-info")
@access("admin")
@bp.output(SyncOut)
@bp.doc(responses=_AWAY)
def sync_info(bot_id: int) -> dict[str, Any]:
    """Ask Telegram about the bot and its chats

    Keeps the answers. A chat that Telegram does not show says why.
    """
    bot, complete = facts.sync(guards.attribution(), bot_id)
    return {"complete": complete, "telegram_bot": serializers.bot_json(bot)}


@bp.post("/telegram-bots/<int:bot_id>/rotate-secret")
@access("admin")
@bp.output(Rotated)
@bp.doc(responses=_AWAY)
def rotate_secret(bot_id: int) -> dict[str, Any]:
    """Give the bot's webhook a new secret

    No update is refused meanwhile.
    """
    return {"registered": webhooks.rotate_secret(guards.attribution(), bot_id)}


@bp.post("/telegram-bots/<int:bot_id>/register-webhook")
@access("admin")
@bp.input(WebhookIn)
@bp.output(Registered)
@bp.doc(responses=_AWAY)
def register_webhook(bot_id: int, json_data: WebhookIn) -> dict[str, Any]:
    """Have Telegram deliver the bot's updates here

    Also shows the menu of commands.
    """
    url = webhooks.register(guards.attribution(), bot_id, drop_pending=json_data.drop_pending)
    return {"url": url}


@bp.get("/telegram-bots/<int:bot_id>/webhook-info")
@access("admin")
@bp.output(WebhookOut)
@bp.doc(responses=_AWAY)
def webhook_info(bot_id: int) -> Any:
    """Show what Telegram says of the bot's webhook"""
    return serializers.webhook(webhooks.info(bot_id))


@bp.post("/telegram-bots/<int:bot_id>/delete-webhook")
@access("admin")
@bp.input(WebhookIn)
@bp.output(Deleted)
@bp.doc(responses=_AWAY)
def delete_webhook(bot_id: int, json_data: WebhookIn) -> dict[str, Any]:
    """Have Telegram keep the bot's updates

    So that they can be polled, or another program can have them.
    """
    webhooks.delete(guards.attribution(), bot_id, drop_pending=json_data.drop_pending)
    return {}


@bp.get("/telegram-bots/<int:bot_id>/discover-chats")
@access("admin")
@bp.output(DiscoveryOut)
@bp.doc(responses=_AWAY)
def discover_chats(bot_id: int) -> dict[str, Any]:
    """Find the chats that the bot could write to

    Those that have written to this instance, and those whose updates wait at Telegram, where no webhook is set.
    """
    return serializers.discovery(discovery.of_bot(bot_id))


@bp.post("/telegram/validate-token")
@access("admin")
@bp.input(TokenIn)
@bp.output(ValidityOut)
@bp.doc(responses=_AWAY)
def validate_token(json_data: TokenIn) -> dict[str, Any]:
    """Ask Telegram whether it accepts a token

    Keeps nothing.
    """
    token = operations.checked_token(json_data.token)
    return serializers.validity(guards.ask_and_rerun(lambda: facts.validate_token(token)))


@bp.post("/telegram/discover-chats")
@access("admin")
@bp.input(TokenIn)
@bp.output(DiscoveryOut)
@bp.doc(responses=_AWAY)
def discover_chats_of_token(json_data: TokenIn) -> dict[str, Any]:
    """Find the chats that a token's bot could write to

    From the updates that wait at Telegram; says so where a webhook is set.
    """
    token = operations.checked_token(json_data.token)
    return serializers.discovery(guards.ask_and_rerun(lambda: discovery.of_token(token)))


@bp.post("/telegram/lookup-chat")
@access("admin")
@bp.input(LookUpIn)
@bp.output(ChatOut)
@bp.doc(responses={404: "`chat_not_found`: there is no such chat, or the bot is not in it", **_AWAY})
def look_up_chat(json_data: LookUpIn) -> dict[str, Any]:
    """Find a chat by its id or @name"""
    token, chat = operations.checked_token(json_data.token), json_data.chat
    return serializers.chat(guards.ask_and_rerun(lambda: discovery.look_up(token, chat)))
