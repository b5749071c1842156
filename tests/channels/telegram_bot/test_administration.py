"""What a bot is asked and told apart from messages."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from backend.channels.base import SenderFacts
from backend.channels.errors import ChannelError, OutcomeUnknown, RecipientUnreachable, Rejected, RetryLater
from backend.channels.inbound import Chat, Person
from backend.channels.provider import Member
from backend.channels.telegram_bot import TelegramBot
from backend.channels.telegram_bot.administration import BotCommand
from tests.channels.scripted_server import ScriptedServer, Step, answer, drop, ok, refuse
from tests.channels.telegram_bot.conftest import CREDENTIALS, TOKEN


def test_probing_tells_who_the_bot_is(bot: TelegramBot, server: ScriptedServer) -> None:
    me = {"id": 123456, "is_bot": True, "first_name": "Switch", "username": "switch_bot", "can_join_groups": True}
    server.script = [ok(me)]
    assert bot.probe(CREDENTIALS) == SenderFacts(
        external_id="123456",
        username="switch_bot",
        name="Switch",
        capabilities={
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_topics_enabled": False,
        },
    )


def test_a_webhook_always_states_its_kinds_of_updates(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [ok(True), ok(True), ok(True)]
    bot.administration.set_webhook(TOKEN, "https://e.com/hook", "s3cret", drop_pending=True)
    bot.administration.set_webhook(TOKEN, "https://e.com/hook", "s3cret", max_connections=1)
    bot.administration.delete_webhook(TOKEN)
    kinds = ["message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member"]
    given = {"url": "https://e.com/hook", "secret_token": "s3cret", "allowed_updates": kinds}
    assert [request.json for request in server.received] == [
        given | {"max_connections": 40, "drop_pending_updates": True},
        given | {"max_connections": 1},
        {},
    ]


def test_a_refused_webhook_tells_telegrams_reason(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [refuse(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook")]
    with pytest.raises(Rejected) as caught:
        bot.administration.set_webhook(TOKEN, "http://e.com/hook", "s3cret")
    assert caught.value.code == "webhook_refused"
    assert "HTTPS url must be provided" in caught.value.detail


def test_a_webhooks_state(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [
        ok({"url": "https://e.com/hook", "has_custom_certificate": False, "pending_update_count": 3,
            "last_error_date": 1700000000, "last_error_message": "Connection refused", "max_connections": 40,
            "allowed_updates": ["message"]}),
        ok({"url": "", "has_custom_certificate": False, "pending_update_count": 0}),
    ]  # fmt: skip
    info = bot.administration.get_webhook_info(TOKEN)
    assert (info.url, info.pending, info.last_error) == ("https://e.com/hook", 3, "Connection refused")
    assert info.last_error_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert info.allowed_updates == ("message",)
    empty = bot.administration.get_webhook_info(TOKEN)
    assert (empty.url, empty.last_error, empty.last_error_at) == ("", None, None)


def test_polling_gives_raw_updates(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [ok([{"update_id": 5, "message": {}}, "odd"]), ok([])]
    assert bot.administration.get_updates(TOKEN, offset=5, timeout=0) == [{"update_id": 5, "message": {}}]
    assert bot.administration.get_updates(TOKEN, limit=10, timeout=1) == []
    first, second = (request.json for request in server.received)
    assert (first["offset"], first["timeout"], first["limit"]) == (5, 0, 100)
    assert "offset" not in second
    assert "callback_query" in second["allowed_updates"]


@pytest.mark.parametrize(
    ("step", "kind", "code"),
    [
        (refuse(409, "Conflict: can't use getUpdates method while webhook is active"), Rejected, "webhook_is_set"),
        (refuse(409, "Conflict: terminated by other getUpdates request"), RetryLater, "other_poller"),
        (ok({}), OutcomeUnknown, "unreadable_answer"),
        (drop, OutcomeUnknown, "connection_dropped"),
    ],
)
def test_polling_that_fails(
    bot: TelegramBot, server: ScriptedServer, step: Step, kind: type[ChannelError], code: str
) -> None:
    server.script = [step]
    with pytest.raises(ChannelError) as caught:
        bot.administration.get_updates(TOKEN, timeout=0)
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_commands_in_two_languages(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [ok(True), ok(True)]
    bot.administration.set_my_commands(TOKEN, [BotCommand("help", "What I can do")])
    bot.administration.set_my_commands(TOKEN, [BotCommand("help", "도움말")], language="ko")
    assert [request.json for request in server.received] == [
        {"commands": [{"command": "help", "description": "What I can do"}]},
        {"commands": [{"command": "help", "description": "도움말"}], "language_code": "ko"},
    ]


def test_chats_and_members(bot: TelegramBot, server: ScriptedServer) -> None:
    ada = {"user": {"id": 5, "first_name": "Ada"}, "status": "creator", "is_anonymous": True}
    bob = {"user": {"id": 6, "first_name": "Bob"}, "status": "member"}
    server.script = [ok({"id": -1001, "type": "supergroup", "title": "Team", "is_forum": True}), ok(bob), ok([ada])]
    administration = bot.administration
    assert administration.get_chat(TOKEN, "@team") == Chat("-1001", "supergroup", title="Team", is_forum=True)
    member = administration.get_chat_member(TOKEN, "-1001", "6")
    assert member == Member(Person("6", "Bob"), is_admin=False, status="member")
    (owner,) = administration.get_chat_administrators(TOKEN, "-1001")
    assert owner == Member(Person("5", "Ada"), is_admin=True, status="creator")
    assert [request.json for request in server.received] == [
        {"chat_id": "@team"},
        {"chat_id": -1001, "user_id": 6},
        {"chat_id": -1001},
    ]


def test_an_unknown_chat(bot: TelegramBot, server: ScriptedServer) -> None:
    server.script = [refuse(400, "Bad Request: chat not found")]
    with pytest.raises(RecipientUnreachable) as caught:
        bot.administration.get_chat(TOKEN, "42")
    assert caught.value.code == "chat_not_found"


def test_odd_answers_are_unreadable(bot: TelegramBot, server: ScriptedServer) -> None:
    administration = bot.administration
    questions = [
        lambda: administration.get_me(TOKEN),
        lambda: administration.get_webhook_info(TOKEN),
        lambda: administration.get_chat(TOKEN, "1"),
        lambda: administration.get_chat_member(TOKEN, "1", "2"),
        lambda: administration.get_chat_administrators(TOKEN, "1"),
    ]
    server.script = [ok("odd") for _ in questions]
    for ask in questions:
        with pytest.raises(OutcomeUnknown):
            ask()
    assert len(server.received) == len(questions)


def test_a_file_is_downloaded_into_a_sink(bot: TelegramBot, server: ScriptedServer) -> None:
    content = bytes(range(256)) * 2000
    server.script = [
        ok({"file_id": "F", "file_path": "photos/file_1.jpg", "file_size": len(content)}),
        answer(200, content),
    ]
    sink = io.BytesIO()
    assert bot.administration.download(TOKEN, "F", sink) == len(content)
    assert sink.getvalue() == content
    assert server.received[1].path == f"/file/bot{TOKEN}/photos/file_1.jpg"
    assert server.received[1].method == "GET"


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ([ok({"file_path": "a/b", "file_size": 2000})], Rejected, "file_too_large"),
        ([ok({"file_path": "a/b"}), answer(200, b"x" * 2000)], Rejected, "file_too_large"),
        ([ok({"file_path": "a/b"}), refuse(404, "Not Found")], Rejected, "file_gone"),
        ([ok({"file_path": "a/b"}), answer(502, b"")], OutcomeUnknown, "server_error"),
        ([ok({"file_path": "a/b"}), drop], OutcomeUnknown, "connection_dropped"),
        ([ok({"file_path": "/var/lib/telegram/a"})], Rejected, "file_gone"),
        ([ok({"file_path": "../../etc/passwd"})], Rejected, "file_gone"),
        ([ok({"file_path": "a/../../b"})], Rejected, "file_gone"),
        ([ok({})], Rejected, "file_gone"),
        ([ok([])], Rejected, "file_gone"),
        ([refuse(400, "Bad Request: wrong file_id or the file is temporarily unavailable")], Rejected, "file_gone"),
    ],
)
def test_downloads_that_fail(
    bot: TelegramBot, server: ScriptedServer, script: list[Step], kind: type[ChannelError], code: str
) -> None:
    server.script = list(script)
    with pytest.raises(ChannelError) as caught:
        bot.administration.download(TOKEN, "F", io.BytesIO(), max_bytes=1000)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert TOKEN not in repr(caught.value)
