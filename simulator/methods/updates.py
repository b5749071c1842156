"""Getting updates: long polling and webhooks. These methods wait, so they stand apart from the others."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

from simulator.errors import ApiError, bad_request, conflict
from simulator.parameters import Call
from simulator.updates import Inbox, Webhook
from simulator.world import World

LONGEST_POLL = 50
MAX_UPDATES = 100
PORTS = (443, 80, 88, 8443)
POLL_CONFLICT = "terminated by other getUpdates request; make sure that only one bot instance is running"

Restart = Callable[[int], Awaitable[None]]
"""Stops a bot's webhook deliveries and starts them again for what its inbox says now."""


def _allowed(call: Call, inbox: Inbox) -> None:
    try:
        inbox.allow(call.structure("allowed_updates", "String"))
    except ApiError:
        # What cannot be read is passed over: Telegram keeps the choice it has.
        return


async def get_updates(world: World, call: Call) -> bytes:
    """Waiting updates as a JSON array, or what comes within `timeout` seconds. Raises 409 with a webhook or a
    rival.
    """
    inbox = world.inboxes[call.bot.id]
    if inbox.webhook.url:
        raise conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
    _allowed(call, inbox)
    offset, limit = call.integer("offset"), call.integer("limit", MAX_UPDATES)
    limit = limit if 1 <= limit <= MAX_UPDATES else MAX_UPDATES
    mine = inbox.interrupt_poll(POLL_CONFLICT)
    inbox.confirm_below(offset)
    deadline = time.monotonic() + max(0, min(call.integer("timeout"), LONGEST_POLL))
    while True:
        inbox.expire(time.monotonic())
        remaining = deadline - time.monotonic()
        if inbox.pending or remaining <= 0:
            return b"[" + b",".join(pending.body for pending in list(inbox.pending.values())[:limit]) + b"]"
        inbox.arrived.clear()
        try:
            # Not wait_for: its task may begin to wait after a rival has set and cleared the event again.
            async with asyncio.timeout(remaining):
                await inbox.arrived.wait()
        except TimeoutError:
            continue
        if inbox.poll != mine:
            raise conflict(inbox.poll_ended_by)


async def set_webhook(world: World, call: Call, restart: Restart) -> tuple[bool, str]:
    """Deliver updates to an address from now on; an empty one goes back to polling. Returns (True, Telegram's
    sentence).
    """
    url = call.string("url").strip()
    if not url:
        return await delete_webhook(world, call, restart)
    inbox = world.inboxes[call.bot.id]
    _check_address(url, world.settings.strict_webhooks)
    secret = call.string("secret_token")
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise bad_request("secret token contains unallowed characters")
    connections = call.integer("max_connections", 40)
    wanted = Webhook(
        url=url,
        secret=secret,
        max_connections=min(max(connections, 1), 100),
        has_custom_certificate="certificate" in call.files,
        ip_address=call.string("ip_address"),
    )
    _allowed(call, inbox)
    old = inbox.webhook
    same = (old.url, old.secret, old.max_connections) == (url, secret, wanted.max_connections)
    if call.boolean("drop_pending_updates"):
        inbox.drop_all()
    if not same or call.boolean("drop_pending_updates"):
        inbox.webhook = wanted
        inbox.interrupt_poll("terminated by setWebhook request")
        await restart(call.bot.id)
    return True, "Webhook is already set" if same else "Webhook was set"


def _check_address(url: str, strict: bool) -> None:
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port
    except ValueError:
        raise bad_request("bad webhook: invalid URL specified") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_request("bad webhook: invalid URL specified")
    if strict and parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if strict and port not in (None, *PORTS):
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


async def delete_webhook(world: World, call: Call, restart: Restart) -> tuple[bool, str]:
    """Back to polling. Returns (True, Telegram's sentence)."""
    inbox = world.inboxes[call.bot.id]
    had = bool(inbox.webhook.url)
    inbox.webhook = Webhook()
    if call.boolean("drop_pending_updates"):
        inbox.drop_all()
    if had:
        await restart(call.bot.id)
    return True, "Webhook was deleted" if had else "Webhook is already deleted"


def webhook_info(inbox: Inbox) -> dict[str, Any]:
    """getWebhookInfo."""
    inbox.expire(time.monotonic())
    webhook = inbox.webhook
    info: dict[str, Any] = {
        "url": webhook.url,
        "has_custom_certificate": webhook.has_custom_certificate,
        "pending_update_count": len(inbox.pending),
    }
    if webhook.url:
        info["max_connections"] = webhook.max_connections
        if webhook.ip_address:
            info["ip_address"] = webhook.ip_address
    if webhook.last_error_date:
        info |= {"last_error_date": webhook.last_error_date, "last_error_message": webhook.last_error_message}
    if inbox.allowed:
        info["allowed_updates"] = inbox.allowed
    return info


def answer_bytes(result: bytes) -> bytes:
    """A successful answer around a result that is JSON already."""
    return b'{"ok":true,"result":' + result + b"}"


def answer(result: Any, description: str = "") -> bytes:
    """A successful answer."""
    body: dict[str, Any] = {"ok": True, "result": result}
    if description:
        body["description"] = description
    return orjson.dumps(body)
