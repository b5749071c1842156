"""Operations carried out against a scripted Bot API: what is sent, what is tried once more, what counts as done."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.formparser import parse_form_data

from backend.channels.base import Button, Content, Credentials, Media, Operation, Receipt
from backend.channels.errors import (
    ChannelError,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.telegram_bot import TelegramBot
from tests.channels.scripted_server import Received, ScriptedServer, drop, ok, refuse
from tests.channels.telegram_bot.conftest import CREDENTIALS, TOKEN

NEVER = float("inf")
SENT = ok({"message_id": 7, "date": 1700000000, "chat": {"id": 42, "type": "private"}})


def send(bot: TelegramBot, content: Content, **more: Any) -> Receipt:
    return bot.perform(CREDENTIALS, Operation("send", chat_id="42", content=content, **more), deadline=NEVER)


def failed(bot: TelegramBot, op: Operation, credentials: Credentials = CREDENTIALS) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        bot.perform(credentials, op, deadline=NEVER)
    assert TOKEN not in repr(caught.value)
    return caught.value


def form(request: Received) -> dict[str, tuple[str | None, bytes]]:
    """A multipart request's fields: name → (filename, content)."""
    environ = {
        "wsgi.input": io.BytesIO(request.body),
        "CONTENT_TYPE": request.headers["content-type"],
        "CONTENT_LENGTH": request.headers["content-length"],
        "REQUEST_METHOD": request.method,
    }
    _, fields, files = parse_form_data(environ)
    plain: dict[str, tuple[str | None, bytes]] = {name: (None, value.encode()) for name, value in fields.items()}
    return plain | {name: (file.filename, file.read()) for name, file in files.items()}


def test_a_text_is_one_json_request(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [SENT]
    receipt = send(bot, Content("<b>hi</b>", "html"))
    assert receipt == Receipt(("7",), facts={"sent_at": 1700000000})
    (request,) = server.received
    assert (request.method, request.path) == ("POST", f"/bot{TOKEN}/sendMessage")
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"chat_id": 42, "text": "<b>hi</b>", "parse_mode": "HTML"}


def test_an_operation_is_one_request_also_where_a_milder_form_is_left(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [refuse(400, "Bad Request: can't parse entities"), SENT]
    error = failed(bot, Operation("send", chat_id="42", content=Content("<b>x</b>", "html")))
    assert isinstance(error, Rejected)
    assert len(server.received) == 1


def test_the_address_that_a_refusal_quotes_is_known_and_not_shown(bot: TelegramBot, server: ScriptedServer) -> None:
    words = "Bad Request: inline keyboard button URL 'http://vm-1:9999/' is invalid: Wrong HTTP URL"
    server.script = [refuse(400, words)]
    buttons = ((Button("Open", url="http://vm-1.example:9999/"),),)
    error = failed(bot, Operation("send", chat_id="42", content=Content("x", "plain", buttons)))
    assert isinstance(error, Rejected)
    assert error.about == "http://vm-1:9999/"
    assert "vm-1" not in repr(error) + str(error)


def test_a_file_is_uploaded_as_a_form(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [SENT]
    content = bytes(range(256)) * 1000
    media = Media("document", opener=lambda: io.BytesIO(content), filename="보고서.pdf", mime="application/pdf")
    send(bot, Content("c", "plain", ((Button("Mute", data="m"),),), (media,)), thread_id="3")
    (request,) = server.received
    assert request.path.endswith("/sendDocument")
    fields = form(request)
    assert fields["document"] == ("보고서.pdf", content)
    assert fields["chat_id"] == (None, b"42")
    assert fields["message_thread_id"] == (None, b"3")
    assert json.loads(fields["reply_markup"][1]) == {"inline_keyboard": [[{"text": "Mute", "callback_data": "m"}]]}


def test_a_files_name_cannot_break_out_of_its_header(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [SENT]
    name = 'a"\r\nX-Evil: 1\r\n\r\n.pdf\ud800'
    send(bot, Content(media=(Media("document", opener=lambda: io.BytesIO(b"abc"), filename=name),)))
    assert b"\nX-Evil" not in server.received[0].body
    assert form(server.received[0])["document"][1] == b"abc"


def test_an_album_gives_several_ids(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [ok([{"message_id": 7}, {"message_id": 8}])]
    files = tuple(Media("photo", opener=lambda n=n: io.BytesIO(b"jpg%d" % n), mime="image/jpeg") for n in (0, 1))  # type: ignore[misc]
    receipt = send(bot, Content("c", media=files))
    assert receipt.external_ids == ("7", "8")
    fields = form(server.received[0])
    assert [fields["file0"][1], fields["file1"][1]] == [b"jpg0", b"jpg1"]
    assert json.loads(fields["media"][1]) == [
        {"type": "photo", "media": "attach://file0", "caption": "c"},
        {"type": "photo", "media": "attach://file1"},
    ]


def test_a_photo_over_ten_megabytes_is_refused_before_it_is_sent(bot: TelegramBot, server: ScriptedServer) -> None:
    media = Media("photo", opener=lambda: io.BytesIO(bytes(10 * 1024 * 1024 + 1)), mime="image/jpeg")
    error = failed(bot, Operation("send", chat_id="42", content=Content(media=(media,))))
    assert (type(error), error.code) == (Rejected, "photo_refused")
    assert server.received == []


def missing() -> io.BytesIO:
    raise FileNotFoundError("k")


def broken() -> io.BytesIO:
    raise OSError("disk")


class Large(io.BytesIO):
    def seek(self, offset: int, whence: int = 0) -> int:
        return 50 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("opener", "kind", "code"),
    [
        (missing, Rejected, "file_missing"),
        (broken, RetryLater, "storage_failed"),
        (Large, Rejected, "file_too_large"),
    ],
)
def test_a_file_that_cannot_be_sent(
    bot: TelegramBot, server: ScriptedServer, opener: Any, kind: type[ChannelError], code: str
) -> None:
    error = failed(bot, Operation("send", chat_id="42", content=Content(media=(Media("document", opener=opener),))))
    assert type(error) is kind
    assert error.code == code
    assert server.received == []


def test_a_file_that_shrinks_is_never_sent_as_if_it_were_whole(bot: TelegramBot, server: ScriptedServer) -> None:
    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(offset, whence) + (1000 if whence == 2 else 0)

    media = Media("document", opener=lambda: Shrinking(b"abc"))
    error = failed(bot, Operation("send", chat_id="42", content=Content(media=(media,))))
    assert isinstance(error, RetryLater)
    assert error.code == "request_incomplete"
    assert server.received == []


EDIT = Operation("edit", chat_id="42", external_id="9", content=Content("x"))
BUTTONS_EDIT = replace(EDIT, kind="edit_buttons")
DELETE = Operation("delete", chat_id="42", external_id="9")
ANSWER = Operation("answer_callback", external_id="cb")
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@pytest.mark.parametrize(
    ("op", "description", "receipt"),
    [
        (EDIT, "Bad Request: message is not modified: …", Receipt(("9",), facts={"unchanged": True})),
        (
            replace(EDIT, kind="edit_buttons"),
            "Bad Request: message is not modified",
            Receipt(("9",), facts={"unchanged": True}),
        ),
        (ANSWER, TOO_OLD, Receipt(facts={"too_late": True})),
        (DELETE, "Bad Request: message to delete not found", Receipt(facts={"already_gone": True})),
    ],
)
def test_what_is_already_so_is_a_success(
    bot: TelegramBot, server: ScriptedServer, op: Operation, description: str, receipt: Receipt
) -> None:
    server.script = [refuse(400, description)]
    assert bot.perform(CREDENTIALS, op, deadline=NEVER) == receipt


def test_an_edit_of_what_is_gone_is_rejected(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [refuse(400, "Bad Request: message to edit not found")]
    assert failed(bot, EDIT).code == "message_gone"


def test_edits_deletes_and_the_rest_have_their_receipts(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [ok({"message_id": 9}), ok(True), ok(True), ok(True)]
    action = Operation("chat_action", chat_id="42")
    receipts = [bot.perform(CREDENTIALS, op, deadline=NEVER) for op in (EDIT, DELETE, ANSWER, action)]
    assert [receipt.external_ids for receipt in receipts] == [("9",), (), (), ()]
    assert [request.path.rpartition("/")[2] for request in server.received] == [
        "editMessageText",
        "deleteMessage",
        "answerCallbackQuery",
        "sendChatAction",
    ]


def test_a_rate_limit_and_a_migration_reach_the_caller(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [
        refuse(429, "Too Many Requests: retry after 3", retry_after=3),
        refuse(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001234567890),
    ]
    op = Operation("send", chat_id="-5", content=Content("x"))
    limited, migrated = failed(bot, op), failed(bot, op)
    assert isinstance(limited, RetryLater)
    assert limited.seconds == 3
    assert isinstance(migrated, RetryLater)
    assert migrated.moved_to == "-1001234567890"
    assert len(server.received) == 2


@pytest.mark.parametrize("chat_id", ["5001", "-1001555296434", "@news_channel"])
def test_only_a_group_becomes_another_chat(bot: TelegramBot, server: ScriptedServer, chat_id: str) -> None:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    server.script = [refuse(400, words, migrate_to_chat_id=-1001234567890)]
    error = failed(bot, Operation("send", chat_id=chat_id, content=Content("x")))
    assert isinstance(error, RecipientUnreachable)
    assert (error.code, error.disables_link) == ("chat_migrated", False)


@pytest.mark.parametrize("token", ["", "abc", "1:", "1:a/../2:b", "1:a?x", "1:a b", "1:a\n"])
def test_a_malformed_token_goes_nowhere(bot: TelegramBot, server: ScriptedServer, token: str) -> None:
    error = failed(bot, EDIT, Credentials(token))
    assert isinstance(error, SenderDisabled)
    assert error.code == "token_malformed"
    assert server.received == []


def test_the_test_environment_is_a_suffix_of_the_token(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [SENT]
    bot.perform(Credentials("1:a/test"), Operation("send", chat_id="1", content=Content("x")), deadline=NEVER)
    assert server.received[0].path == "/bot1:a/test/sendMessage"


def test_a_bare_404_is_believed_only_when_get_me_says_the_same(bot: TelegramBot, server: ScriptedServer) -> None:
    """It is what Telegram says to an unknown token, and other servers to a method they do not have."""
    operation = Operation("send", chat_id="42", content=Content("hi"))
    me = ok({"id": 1, "is_bot": True, "first_name": "B", "username": "example_bot"})
    server.script = [refuse(404, "Not Found"), me]
    missing = failed(bot, operation)
    assert (type(missing), missing.code) == (Rejected, "method_unknown")
    server.script = [refuse(404, "Not Found"), refuse(404, "Not Found")]
    assert isinstance(failed(bot, operation), SenderDisabled)
    server.script = [refuse(404, "Not Found"), drop]
    assert isinstance(failed(bot, operation), RetryLater)
