"""The table of PLATFORMS, row by row, and what stands around it."""

from __future__ import annotations

from typing import Any

import pytest

from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.telegram_bot.errors import from_answer


def judged(code: int, description: str, **parameters: Any) -> ChannelError:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return from_answer(code, body | ({"parameters": parameters} if parameters else {}))


GONE, CLOSED = True, False
UNREACHABLE = [
    (403, "Forbidden: bot was blocked by the user", "blocked", GONE),
    (403, "Forbidden: user is deactivated", "deactivated", GONE),
    (403, "Forbidden: bot was kicked from the group chat", "kicked", GONE),
    (403, "Forbidden: bot was kicked from the channel chat", "kicked", GONE),
    (403, "Forbidden: bot was kicked from the supergroup chat", "kicked", CLOSED),
    (403, "Forbidden: bot is not a member of the channel chat", "not_a_member", GONE),
    (403, "Forbidden: bot is not a member of the supergroup chat", "not_a_member", GONE),
    (403, "Forbidden: bot can't initiate conversation with a user", "never_started", GONE),
    (403, "Forbidden: bot can't send messages to bots", "not_writable", GONE),
    (403, "Forbidden: the group chat was deleted", "chat_deleted", GONE),
    (403, "Forbidden: something nobody has seen before", "forbidden", CLOSED),
    (400, "Bad Request: chat not found", "chat_not_found", GONE),
    (400, "Bad Request: PEER_ID_INVALID", "chat_not_found", GONE),
    (400, "Bad Request: message thread not found", "topic_not_found", CLOSED),
    (400, "Bad Request: TOPIC_CLOSED", "topic_closed", CLOSED),
    (400, "Bad Request: TOPIC_DELETED", "topic_deleted", CLOSED),
    (400, "Bad Request: not enough rights to send text messages to the chat", "no_rights", CLOSED),
    (400, "Bad Request: have no rights to send a message", "no_rights", CLOSED),
    (400, "Bad Request: need administrator rights in the channel chat", "no_rights", CLOSED),
    (400, "Bad Request: CHAT_WRITE_FORBIDDEN", "no_rights", CLOSED),
    (400, "Bad Request: group chat was upgraded to a supergroup chat", "chat_migrated", CLOSED),
]


@pytest.mark.parametrize(("code", "description", "reason", "disables"), UNREACHABLE)
def test_unreachable_recipients(code: int, description: str, reason: str, disables: bool) -> None:
    error = judged(code, description)
    assert isinstance(error, RecipientUnreachable)
    assert (error.code, error.disables_link, error.detail) == (reason, disables, description)


REJECTED = [
    (400, "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0", "formatting_refused"),
    (400, "Bad Request: message is not modified: specified new message content and reply markup are exactly "
          "the same as a current content and reply markup of the message", "not_modified"),
    (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", "callback_too_old"),
    (400, "Bad Request: message to edit not found", "message_gone"),
    (400, "Bad Request: message to delete not found", "message_gone"),
    (400, "Bad Request: MESSAGE_ID_INVALID", "message_gone"),
    (400, "Bad Request: message can't be edited", "message_locked"),
    (400, "Bad Request: message can't be deleted for everyone", "message_locked"),
    (400, "Bad Request: message is too long", "text_too_long"),
    (400, "Bad Request: message caption is too long", "text_too_long"),
    (400, "Bad Request: message text is empty", "text_empty"),
    (400, "Bad Request: BUTTON_DATA_INVALID", "buttons_refused"),
    (400, "Bad Request: inline keyboard button URL 'http://localhost/' is invalid: Wrong HTTP URL",
     "button_address_refused"),
    (400, "Bad Request: BUTTON_URL_INVALID", "button_address_refused"),
    (400, "Bad Request: BUTTON_TYPE_INVALID", "buttons_refused"),
    (400, "Bad Request: reply markup is too long", "buttons_too_long"),
    (400, "Bad Request: REPLY_MARKUP_TOO_LONG", "buttons_too_long"),
    (400, "Bad Request: object expected as reply markup", "buttons_refused"),
    (400, "Bad Request: ENTITIES_TOO_LONG", "links_too_long"),
    (400, "Bad Request: ENTITY_MENTION_USER_INVALID", "formatting_refused"),
    (400, "Bad Request: not enough rights to send photos to the chat", "media_not_allowed"),
    (400, "Bad Request: not enough rights to send documents to the chat", "media_not_allowed"),
    (400, "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN", "media_not_allowed"),
    (400, "Bad Request: CHAT_SEND_DOCS_FORBIDDEN", "media_not_allowed"),
    (403, "Forbidden: CHAT_SEND_MEDIA_FORBIDDEN", "media_not_allowed"),
    (400, "Bad Request: CHAT_SEND_WEBPAGE_FORBIDDEN", "preview_not_allowed"),
    (400, "Bad Request: wrong type of the web page content", "media_source_refused"),
    (400, "Bad Request: WEBPAGE_CURL_FAILED", "media_source_refused"),
    (400, "Bad Request: MEDIA_EMPTY", "media_refused"),
    (400, "Bad Request: MEDIA_CAPTION_TOO_LONG", "text_too_long"),
    (400, "Bad Request: file must be non-empty", "media_refused"),
    (400, "Bad Request: FILE_REFERENCE_EXPIRED", "file_gone"),
    (400, "Bad Request: there is no text in the message to edit", "message_locked"),
    (400, "Bad Request: MESSAGE_EDIT_TIME_EXPIRED", "message_locked"),
    (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", "photo_refused"),
    (400, "Bad Request: IMAGE_PROCESS_FAILED", "photo_refused"),
    (400, "Bad Request: failed to get HTTP URL content", "media_source_refused"),
    (400, "Bad Request: wrong file identifier/HTTP URL specified", "media_source_refused"),
    (400, "Bad Request: wrong file_id or the file is temporarily unavailable", "file_gone"),
    (400, "Bad Request: file is too big", "file_too_large"),
    (400, "Bad Request: bad webhook: HTTPS url must be provided for webhook", "webhook_refused"),
    (400, "Bad Request: nobody knows", "refused"),
    (404, "Not Found: method not found", "method_unknown"),
    (409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook "
          "first", "webhook_is_set"),
    (413, "Request Entity Too Large", "file_too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "description", "reason"), REJECTED)
def test_refused_operations(code: int, description: str, reason: str) -> None:
    error = judged(code, description)
    assert isinstance(error, Rejected)
    assert error.code == reason


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (401, "Unauthorized", "token_refused"),
        (401, "Unauthorized: invalid token specified", "token_refused"),
        (404, "Not Found", "token_unknown"),
        (400, "Bad Request: Logged out", "logged_out"),
    ],
)
def test_refused_tokens(code: int, description: str, reason: str) -> None:
    error = judged(code, description)
    assert isinstance(error, SenderDisabled)
    assert error.code == reason


def test_a_rate_limit_names_its_seconds() -> None:
    error = judged(429, "Too Many Requests: retry after 35", retry_after=35)
    assert isinstance(error, RetryLater)
    assert (error.seconds, error.code, error.scope, error.moved_to) == (35.0, "rate_limited", "sender", None)


@pytest.mark.parametrize(
    ("parameters", "description", "header", "seconds"),
    [
        ({}, "Too Many Requests: retry after 12", None, 12.0),
        ({"retry_after": "9"}, "Too Many Requests", None, 9.0),
        ({"retry_after": True}, "Too Many Requests", "8", 8.0),
        ({"retry_after": -4}, "Too Many Requests", None, 5.0),
        ({"retry_after": 0.2}, "Too Many Requests", None, 1.0),
        ({"retry_after": 10**12}, "Too Many Requests", None, 86_400.0),
        ({"retry_after": "nan"}, "Too Many Requests", None, 5.0),
        ([], "Too Many Requests", "soon", 5.0),
    ],
)
def test_a_rate_limit_always_has_a_wait(
    parameters: object, description: str, header: str | None, seconds: float
) -> None:
    body = {"ok": False, "error_code": 429, "description": description, "parameters": parameters}
    error = from_answer(429, body, header)
    assert isinstance(error, RetryLater)
    assert error.seconds == seconds


def test_a_migrated_group_names_its_new_id() -> None:
    error = judged(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        migrate_to_chat_id=-1007000000003,
    )
    assert isinstance(error, RetryLater)
    assert (error.seconds, error.scope, error.moved_to) == (0.0, "chat", "-1007000000003")


def test_somebody_else_polling_is_worth_another_try() -> None:
    error = judged(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    )
    assert isinstance(error, RetryLater)
    assert error.code == "other_poller"


@pytest.mark.parametrize("code", [500, 502, 503, 599])
def test_server_errors_are_unknown(code: int) -> None:
    assert isinstance(judged(code, "Internal Server Error: restart"), OutcomeUnknown)
    assert isinstance(from_answer(code, None), OutcomeUnknown)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"ok": False}, {"ok": False, "error_code": "404"}])
@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 418])
def test_a_gateways_refusal_never_disables_a_bot(status: int, body: object) -> None:
    error = from_answer(status, body)
    assert isinstance(error, RetryLater)
    assert error.code == "gateway_refused"


@pytest.mark.parametrize("body", [{"ok": True}, {"ok": False, "error_code": 200}, {"ok": False}, 7])
def test_an_odd_success_is_unknown(body: object) -> None:
    assert isinstance(from_answer(200, body), OutcomeUnknown)


def test_details_hold_neither_tokens_nor_the_senders_words() -> None:
    token = "123456789:AAExample_of_a_token_that_is_long_en"
    shown = judged(400, f"Bad Request: nobody knows {token} {'x' * 500}")
    assert token not in str(shown)
    assert len(shown.detail) == 200
    assert judged(400, 'Bad Request: can\'t parse entities: Unsupported start tag "my secret"').detail == ""


@pytest.mark.parametrize("new_id", [5001, "-100", -599075523, "@news", -(2**60), True, None, 1.5, [], "-1001 555"])
def test_a_migration_to_what_is_no_supergroup_is_not_followed(new_id: object) -> None:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    error = judged(400, words, migrate_to_chat_id=new_id)
    assert isinstance(error, RecipientUnreachable)
    assert (error.code, error.disables_link) == ("chat_migrated", False)


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: not enough rights to send text messages to the chat",
        "Bad Request: CHAT_SEND_PLAIN_FORBIDDEN",
        "Bad Request: have no rights to send a message",
    ],
)
def test_a_chat_that_takes_no_words_is_closed(description: str) -> None:
    error = judged(400, description)
    assert isinstance(error, RecipientUnreachable)
    assert (error.code, error.disables_link) == ("no_rights", False)


def test_only_the_address_that_an_error_quotes_is_read_from_it() -> None:
    quoted = judged(400, "Bad Request: inline keyboard button URL 'http://a'b/' is invalid: Wrong HTTP URL")
    assert isinstance(quoted, Rejected)
    assert quoted.about == "http://a'b/"
    for description in ("Bad Request: BUTTON_URL_INVALID", "Bad Request: inline keyboard button URL is invalid"):
        error = judged(400, description)
        assert isinstance(error, Rejected)
        assert error.about is None


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (10**400, 86_400.0),
        (99_999_999_999_999, 86_400.0),
        (1e300, 86_400.0),
        (float("inf"), 5.0),
        (float("nan"), 5.0),
        (-5, 5.0),
        (-(10**400), 5.0),
        ("7", 7.0),
        ("soon", 5.0),
        (True, 5.0),
        ([30], 5.0),
    ],
)
def test_a_wait_that_telegram_asks_for_is_believed_within_a_day(asked: object, seconds: float) -> None:
    error = judged(429, "Too Many Requests", retry_after=asked)
    assert isinstance(error, RetryLater)
    assert error.seconds == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("99999999999999", 3600.0),
        ("1e400", 3600.0),
        ("inf", 5.0),
        ("-3", 5.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
    ],
)
def test_a_gateway_is_believed_within_an_hour(header: str, seconds: float) -> None:
    error = from_answer(429, None, header)
    assert isinstance(error, RetryLater)
    assert error.seconds == seconds


@pytest.mark.parametrize(
    "new", [0, 7_000_000_003, -(10**400), -(2**64), "-1e3", "@group", "", "-", "-1\n", True, None, [-100], "-0"]
)
def test_a_chat_moves_only_to_what_can_be_a_group(new: object) -> None:
    error = judged(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=new)
    assert isinstance(error, RecipientUnreachable)
    assert error.code == "chat_migrated"


@pytest.mark.parametrize("code", [True, 10**400, -1, "400", 4.5, None])
def test_a_code_that_is_none_is_not_telegrams_answer(code: object) -> None:
    error = from_answer(502, {"ok": False, "error_code": code, "description": "x"})
    assert isinstance(error, OutcomeUnknown)


def test_words_that_cannot_be_stored_are_made_storable() -> None:
    error = judged(400, "Bad Request: \ud800 odd \x00 words")
    assert error.detail.encode()
    assert "\x00" not in error.detail
