"""What a Bot API answer means: a pure function of status and body, with one table.

The texts are those of Telegram's open-source Bot API server (tdlib/telegram-bot-api, Client.cpp,
`fail_query_with_error`), which also lets upper-case server errors through as they are ("Bad Request:
TOPIC_CLOSED"). They are matched without regard to case, anywhere in the description, first match wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.richtext import storable
from backend.channels.telegram_bot import reading
from backend.core import clock
from backend.core.egress.answers import retry_after as retry_after_of
from backend.core.egress.answers import whole_number

DEFAULT_WAIT = 5.0
GATEWAY_WAIT = 30.0
MAX_WAIT = 86_400.0
"""Telegram's own waits are believed up to a day."""
MAX_GATEWAY_WAIT = 3600.0
_RETRY_AFTER = re.compile(r"retry after (\d{1,20})", re.ASCII)
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{20,}")

_Class = Literal["gone", "closed", "rejected", "disabled"]

_MEDIA = ("photo", "document", "media", "video", "animation", "audio", "file")
_MEDIA_IN_SHORT = ("photos", "docs", "media", "videos", "gifs", "audios")

# gone: the recipient is unreachable and a link to it is disabled; closed: unreachable, but the link stays.
_DESCRIPTIONS: tuple[tuple[str, _Class, str], ...] = (
    ("bot was blocked by the user", "gone", "blocked"),
    ("user_is_blocked", "gone", "blocked"),
    ("user is deactivated", "gone", "deactivated"),
    ("input_user_deactivated", "gone", "deactivated"),
    # Also said for a restricted topic, so it is not enough to give a group up.
    ("bot was kicked from the supergroup", "closed", "kicked"),
    ("bot was kicked from", "gone", "kicked"),
    ("bot is not a member of", "gone", "not_a_member"),
    ("bot can't initiate conversation", "gone", "never_started"),
    ("bot can't send messages to", "gone", "not_writable"),
    ("group chat was deleted", "gone", "chat_deleted"),
    ("group chat was deactivated", "gone", "chat_deleted"),
    ("chat not found", "gone", "chat_not_found"),
    ("peer_id_invalid", "gone", "chat_not_found"),
    ("message thread not found", "closed", "topic_not_found"),
    ("topic_deleted", "closed", "topic_deleted"),
    ("topic_closed", "closed", "topic_closed"),
    ("topic_id_invalid", "closed", "topic_not_found"),
    # What may not be posted beside words; the words may.
    *((f"rights to send {what}", "rejected", "media_not_allowed") for what in _MEDIA),
    *((f"chat_send_{what}_forbidden", "rejected", "media_not_allowed") for what in _MEDIA_IN_SHORT),
    ("chat_send_webpage_forbidden", "rejected", "preview_not_allowed"),
    ("chat_send_plain_forbidden", "closed", "no_rights"),
    ("have no rights to send", "closed", "no_rights"),
    ("not enough rights", "closed", "no_rights"),
    ("need administrator rights", "closed", "no_rights"),
    ("chat_write_forbidden", "closed", "no_rights"),
    ("chat_restricted", "closed", "no_rights"),
    ("chat_admin_required", "closed", "no_rights"),
    ("can't parse entities", "rejected", "formatting_refused"),
    ("can't find end of", "rejected", "formatting_refused"),
    ("entities_too_long", "rejected", "links_too_long"),
    ("entity_", "rejected", "formatting_refused"),
    ("message is not modified", "rejected", "not_modified"),
    ("query is too old", "rejected", "callback_too_old"),
    ("query id is invalid", "rejected", "callback_too_old"),
    ("query_id_invalid", "rejected", "callback_too_old"),
    ("message to edit not found", "rejected", "message_gone"),
    ("message to delete not found", "rejected", "message_gone"),
    ("message_id_invalid", "rejected", "message_gone"),
    ("message can't be edited", "rejected", "message_locked"),
    ("message_edit_time_expired", "rejected", "message_locked"),
    ("message_author_required", "rejected", "message_locked"),
    ("there is no text in the message to edit", "rejected", "message_locked"),
    ("there is no caption in the message to edit", "rejected", "message_locked"),
    ("message can't be deleted", "rejected", "message_locked"),
    ("message is too long", "rejected", "text_too_long"),
    ("caption is too long", "rejected", "text_too_long"),
    ("message_too_long", "rejected", "text_too_long"),
    ("text is too long", "rejected", "text_too_long"),
    ("media_caption_too_long", "rejected", "text_too_long"),
    ("text is empty", "rejected", "text_empty"),
    ("text must be non-empty", "rejected", "text_empty"),
    ("inline keyboard button url", "rejected", "button_address_refused"),
    ("button_url_", "rejected", "button_address_refused"),
    ("reply markup is too long", "rejected", "buttons_too_long"),
    ("reply_markup_too_long", "rejected", "buttons_too_long"),
    ("reply_markup_", "rejected", "buttons_refused"),
    ("button_", "rejected", "buttons_refused"),
    ("reply markup", "rejected", "buttons_refused"),
    ("keyboard button", "rejected", "buttons_refused"),
    ("photo_", "rejected", "photo_refused"),
    ("image_process_failed", "rejected", "photo_refused"),
    ("too big for a photo", "rejected", "photo_refused"),
    ("file is too big", "rejected", "file_too_large"),
    ("failed to get http url content", "rejected", "media_source_refused"),
    ("wrong type of the web page content", "rejected", "media_source_refused"),
    ("wrong http url", "rejected", "media_source_refused"),
    ("can't upload file by url", "rejected", "media_source_refused"),
    ("wrong file identifier", "rejected", "media_source_refused"),
    ("wrong remote file", "rejected", "media_source_refused"),
    ("webpage_", "rejected", "media_source_refused"),
    ("wrong file_id", "rejected", "file_gone"),
    ("file_reference_", "rejected", "file_gone"),
    ("file_part", "rejected", "media_refused"),
    ("file must be non-empty", "rejected", "media_refused"),
    ("media_", "rejected", "media_refused"),
    ("bad webhook", "rejected", "webhook_refused"),
    ("logged out", "disabled", "logged_out"),
)
# Telegram quotes the sender's words in these, and such words reach neither rows nor logs.
_QUOTES_CONTENT = frozenset({"formatting_refused", "button_address_refused", "buttons_refused", "media_source_refused"})
_NAMED_ADDRESS = re.compile(r"button url '(.{1,4096})' is invalid", re.IGNORECASE | re.DOTALL)


BARE_NOT_FOUND = "token_unknown"
"""Telegram's answer to a token it does not know; other servers say the same to a method they do not have."""


def from_answer(status: int, body: object, retry_after: str | None = None) -> ChannelError:
    """The error that an answer other than `ok` stands for. `status` is the HTTP status, `body` the parsed
    JSON or None, `retry_after` the header of that name."""
    if not isinstance(body, Mapping) or (code := whole_number(body.get("error_code"), most=999)) is None:
        return _from_gateway(status, retry_after)
    description = body.get("description")
    text = description if isinstance(description, str) else ""
    parameters = body.get("parameters")
    return _from_telegram(code, text, parameters if isinstance(parameters, Mapping) else {}, retry_after)


def _from_gateway(status: int, retry_after: str | None) -> ChannelError:
    """Not Telegram's own words: something in between answered, so a 401 or 404 says nothing about the
    token."""
    if status == 429:
        return RetryLater(_seconds(retry_after, MAX_GATEWAY_WAIT) or DEFAULT_WAIT, "rate_limited")
    if status == 413:
        return Rejected("file_too_large")
    if status >= 500:
        return OutcomeUnknown("server_error", f"status {status}")
    if status >= 300:
        return RetryLater(GATEWAY_WAIT, "gateway_refused", detail=f"status {status}")
    return OutcomeUnknown("unreadable_answer", f"status {status}")


def _from_telegram(code: int, description: str, parameters: Mapping[str, Any], retry_after: str | None) -> ChannelError:
    text = description.lower()
    if code == 429:
        named = _RETRY_AFTER.search(text)
        candidates = (parameters.get("retry_after"), named and named[1], retry_after)
        wait = next((seconds for value in candidates if (seconds := _seconds(value, MAX_WAIT))), DEFAULT_WAIT)
        return RetryLater(wait, "rate_limited")
    if code >= 500:
        return OutcomeUnknown("server_error", f"status {code}")
    moved_to = parameters.get("migrate_to_chat_id")
    if (new_id := reading.identifier(moved_to)) is not None and reading.is_supergroup_id(new_id):
        return RetryLater(0, "chat_migrated", scope="chat", moved_to=new_id)
    if "upgraded to a supergroup" in text:
        return RecipientUnreachable("chat_migrated", disables_link=False, detail=_shown(description))
    if code == 401:
        return SenderDisabled("token_refused", _shown(description))
    if code == 404:
        if text.strip() in ("not found", ""):
            return SenderDisabled(BARE_NOT_FOUND, _shown(description))
        return Rejected("method_unknown" if "method" in text else "not_found", _shown(description))
    if code == 409:
        if "other getupdates" in text:
            return RetryLater(DEFAULT_WAIT, "other_poller", detail=_shown(description))
        return Rejected("webhook_is_set", _shown(description))
    if code == 413:
        return Rejected("file_too_large")
    return _from_description(code, description)


def _from_description(code: int, description: str) -> ChannelError:
    text = description.lower()
    for part, meaning, reason in _DESCRIPTIONS:
        if part in text:
            detail = "" if reason in _QUOTES_CONTENT else _shown(description)
            if meaning == "rejected":
                named = _NAMED_ADDRESS.search(description) if reason == "button_address_refused" else None
                return Rejected(reason, detail, about=named[1] if named else None)
            if meaning == "disabled":
                return SenderDisabled(reason, detail)
            return RecipientUnreachable(reason, disables_link=meaning == "gone", detail=detail)
    if code == 403:
        return RecipientUnreachable("forbidden", disables_link=False, detail=_shown(description))
    if code < 400:
        return OutcomeUnknown("unreadable_answer", f"error code {code}")
    return Rejected("refused", _shown(description))


def _seconds(value: object, most: float) -> float | None:
    """A wait in seconds, at least one and at most `most`; None where there is no such number."""
    seconds = retry_after_of(value, now=clock.now(), most=most)
    return max(seconds, 1.0) if seconds else None


def _shown(description: str) -> str:
    """A description that may be shown: bounded, and without anything that looks like a token."""
    return _TOKEN.sub("[redacted]", storable(description))[:200]
