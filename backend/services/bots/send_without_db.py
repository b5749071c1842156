"""Sending without an outbox: straight to Telegram, for `flask alert send`, which has no database.

The only place beside the outbox that says anything. Nothing is stored: what a crash leaves unknown stays unknown, and a
request that may have been carried out is never repeated.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backend.channels.base import Channel, Content, Credentials, Operation
from backend.channels.errors import ChannelError, Rejected, RetryLater
from backend.channels.forms import AS_MEANT, restated

MAX_TRIES: Final = 3
_NO_DEADLINE: Final = float("inf")
_MARKS: Final = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}
_MARK: Final = "🔔"


@dataclass(frozen=True, slots=True)
class Said:
    """What was accepted in one chat, and the error that ended it; `waited` is how many seconds were rested in all."""

    message_ids: tuple[str, ...]
    error: ChannelError | None
    waited: float


def alert_content(text: str, *, title: str | None = None, severity: str | None = None) -> Content:
    """The words of an alert: severity and title in bold, then the text as it is."""
    head = " ".join(part for part in ((title or "").strip(), f"[{severity}]" if severity else "") if part)
    if not head:
        return Content(text)
    mark = _MARKS.get((severity or "").lower(), _MARK)
    return Content(f"{mark} <b>{html.escape(head, quote=False)}</b>\n\n{html.escape(text, quote=False)}", format="html")


def send(
    channel: Channel,
    token: str,
    chat_id: str,
    content: Content,
    *,
    thread_id: str | None,
    patience: float,
    rest: Callable[[float], None],
) -> Said:
    """Says it in one chat, in as many parts as it takes, and stops at the first that fails.

    What was certainly not said is tried again after the rest that Telegram asks for (a 429), as long as all rests
    together stay within `patience` seconds and a part is tried three times at most. A group that became a supergroup is
    followed, and what is refused for its form goes in a milder one.
    """
    accepted: list[str] = []
    waited, tries, place, form = 0.0, 0, 0, AS_MEANT
    parts = channel.split(content)
    while place < len(parts):
        operation = Operation("send", chat_id=chat_id, content=parts[place], thread_id=thread_id, part=place, form=form)
        tries += 1
        try:
            receipt = channel.perform(Credentials(token), operation, deadline=_NO_DEADLINE)
        except RetryLater as error:
            if tries == MAX_TRIES or waited + error.seconds > patience:
                return Said(tuple(accepted), error, waited)
            chat_id = error.moved_to or chat_id
            waited += error.seconds
            rest(error.seconds)
        except Rejected as error:
            milder = channel.milder(operation, error)
            milder_parts = restated(channel, parts[place:], milder, first=place) if milder is not None else []
            if milder is None or not milder_parts:
                return Said(tuple(accepted), error, waited)
            form, parts, tries = milder, [*parts[:place], *milder_parts], 0
        except ChannelError as error:
            return Said(tuple(accepted), error, waited)
        else:
            accepted += receipt.external_ids
            place, tries = place + 1, 0
    return Said(tuple(accepted), None, waited)


def summary(chats: Sequence[str], results: Sequence[Said]) -> tuple[bool, str]:
    """Whether everything was said, and one line that says what was. It names chats by their place, not by their id."""
    ids = [message_id for result in results for message_id in result.message_ids]
    sent = f"message{'s' if len(ids) != 1 else ''} {', '.join(ids)}" if ids else "nothing"
    faults = []
    for place, result in enumerate(results, 1):
        if result.error is not None:
            where = f"chat {place} of {len(chats)}: " if len(chats) > 1 else ""
            faults.append(where + in_words(result.error))
    if not faults:
        return True, sent
    return False, "; ".join(faults) + (f" (sent: {sent})" if ids else "")


def in_words(error: ChannelError) -> str:
    """A failure in words."""
    if isinstance(error, RetryLater) and error.code == "rate_limited":
        return f"Telegram asks to wait {error.seconds:.0f} seconds, which is too long"
    words = _WORDS.get(error.code)
    if words is None and type(error).__name__ == "OutcomeUnknown":
        words = "no answer came, so nobody knows whether it was sent"
    if words is None and isinstance(error, RetryLater):
        words = "Telegram cannot be reached"
    return f"{words} ({error.code})" if words else f"Telegram refuses: {error}"


_WORDS: Final = {
    "token_refused": "Telegram does not accept the token",
    "token_unknown": "Telegram does not know the token",
    "token_malformed": "that is not a token",
    "chat_not_found": "Telegram knows no such chat, or the bot is not in it",
    "blocked": "the bot is blocked there",
    "kicked": "the bot was removed from the group",
    "topic_not_found": "there is no such topic",
    "text_empty": "there is nothing to say",
}
