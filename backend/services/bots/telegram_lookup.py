"""Asking Telegram by a token, for somebody who waits for the answer: what goes wrong is one of the product's errors.

Network calls of some seconds at most: no transaction may be open. Nothing is stored here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import ChannelError, RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.channels.inbound import Chat, InboundEvent
from backend.channels.provider import WebhookStatus
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.channels.telegram_bot import webhook
from backend.core.errors import AppError, Invalid, NotFound, Unavailable
from backend.services import senders
from backend.services.bots import bot_api
from backend.services.linking.bots import WHY_NOT_ASKED
from backend.services.senders import provider
from backend.services.senders.questions import NotAsked

_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class SeenChat:
    """A chat that a bot could write to. `thread_ids` are the forum topics that were written in."""

    chat_id: str
    type: str
    title: str | None
    username: str | None
    thread_ids: tuple[str, ...] = ()


@contextmanager
def clear_errors() -> Iterator[None]:
    """What Telegram, or the way there, answers in place of success. No error holds a token.

    Raises Invalid(`token_refused`, or Telegram's reason), NotFound(`chat_not_found`), Unavailable(`bot_unavailable`).
    """
    try:
        yield
    except SenderDisabled:
        raise refused() from None
    except RecipientUnreachable:
        raise NotFound("chat_not_found", "Telegram knows no such chat, or the bot is not in it.") from None
    except Rejected as error:
        raise Invalid(error.code, error.detail or "Telegram refuses this.") from None
    except NotAsked as error:
        raise not_asked(error) from None
    except ChannelError as error:
        seconds = math.ceil(error.seconds) if isinstance(error, RetryLater) else 5
        raise Unavailable(
            "bot_unavailable", "Telegram cannot be reached at the moment; try again.", retry_after=max(1, seconds)
        ) from None


def not_asked(error: NotAsked) -> Unavailable:
    """Telegram was left alone: why, until when, and when it was last heard."""
    last = error.last.at.isoformat(timespec="seconds").replace("+00:00", "Z") if error.last else None
    known = f"last known at {last}" if last else "nothing is known yet"
    return Unavailable(
        "bot_unavailable",
        f"Telegram is not asked just now ({WHY_NOT_ASKED[error.reason]}); {known}. Try again.",
        detail={"reason": error.reason, "last_known_at": last},
        retry_after=math.ceil(error.seconds),
    )


def was_left_alone(error: AppError) -> bool:
    """Whether this error is `not_asked`'s."""
    return isinstance(error, Unavailable) and isinstance(error.detail, dict) and "last_known_at" in error.detail


def refused() -> Invalid:
    """Telegram does not accept a token that somebody gives."""
    message = "Telegram does not accept this token. Copy it again from @BotFather."
    return Invalid.of("token", "token_refused", message)


def who_is(token: str) -> SenderFacts:
    """The bot that the token belongs to; see `clear_errors` for what it raises."""
    with clear_errors():
        return senders.identify(CHANNEL, token)


def webhook_of(token: str) -> WebhookStatus:
    """Where Telegram delivers the bot's updates; see `clear_errors`."""
    with clear_errors():
        return provider.quick(CHANNEL).webhook_status(Credentials(token))


def look_up(token: str, chat: str) -> Chat:
    """A chat by its id or `@name`; see `clear_errors`. `chat` has been checked by `source_order.parse_chats`."""
    with clear_errors():
        return provider.quick(CHANNEL).chat(Credentials(token), chat)


def seen_by(token: str) -> list[SeenChat]:
    """The chats of the updates that wait at Telegram, none of which is taken away by this.

    Only while the bot has no webhook, and nobody else polls at this moment: Rejected becomes Invalid(`webhook_is_set`).
    """
    with clear_errors():
        updates = bot_api.waiting_updates(Credentials(token))
    chats: dict[str, SeenChat] = {}
    for update in updates:
        for event in webhook.parse(json.dumps(update).encode()):
            _note(chats, event)
    return list(chats.values())


def _note(chats: dict[str, SeenChat], event: InboundEvent) -> None:
    chat = getattr(event, "chat", None)
    if not isinstance(chat, Chat):
        return
    known = chats.get(chat.id)
    threads = dict.fromkeys(known.thread_ids if known else ())
    thread = getattr(event, "thread_id", None)
    if isinstance(thread, str):
        threads[thread] = None
    title = (chat.title or chat.name or "")[:_SHOWN] or None
    chats[chat.id] = SeenChat(chat.id, chat.type, title, chat.username, tuple(threads))
