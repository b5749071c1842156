"""Telegram's updates. With the right secret any body up to 1 MB is stored and answered 200."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import jsonify, request
from flask.typing import ResponseReturnValue

from backend.core.database import system_scope
from backend.core.errors import NotFound, TooLarge, Unauthorized, Unavailable
from backend.http.guards import public
from backend.services import intake, senders

bp = APIBlueprint("telegram_webhooks", __name__, enable_openapi=False)

MAX_BYTES = 1024 * 1024
MAX_SECONDS = 25.0
"""How long a provider is kept waiting for the commit; Telegram gives up after a minute, others much sooner."""


@bp.post("/telegram/webhook", strict_slashes=False)
@public("the provider proves itself with the webhook secret", max_body=MAX_BYTES)
def default_bot() -> ResponseReturnValue:
    """Takes an update for the environment's default bot."""
    with system_scope("the bot's workspace is not known to the provider"):
        return _take(senders.webhook_target_of())


@bp.post("/api/telegram/webhook/<int:bot_id>", strict_slashes=False)
@public("the provider proves itself with the bot's own secret", max_body=MAX_BYTES)
def any_bot(bot_id: int) -> ResponseReturnValue:
    """Takes an update for one bot."""
    with system_scope("the bot's workspace is not known to the provider"):
        return _take(senders.webhook_target_of(bot_id))


def _take(target: senders.WebhookTarget | None) -> ResponseReturnValue:
    if target is None:
        raise NotFound("no_such_bot", "There is no such bot here.")
    # The secret stands in a header: a wrong one is refused before any of the body is read.
    if not target.verify(dict(request.headers)):
        raise Unauthorized("wrong_secret", "The webhook secret is missing or wrong.")
    if request.content_length is not None and request.content_length > MAX_BYTES:
        raise TooLarge("body_too_large", f"An update holds at most {MAX_BYTES} bytes.")
    try:
        intake.accept(target, request.get_data(cache=False)).result(MAX_SECONDS)
    except TimeoutError:
        raise Unavailable("database_unavailable", retry_after=2) from None
    return jsonify(ok=True)
