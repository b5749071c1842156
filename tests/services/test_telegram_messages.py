"""Messages from Python: each call its own transaction, stored once for a key, refused with nothing stored."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound, TooLarge, Unauthorized
from backend.jobs import bots as jobs
from backend.models import Delivery, Message, Sender, StoredFile, User, WebhookEvent, Workspace
from backend.services import files, host_api, senders
from backend.services.host_api import (
    TelegramWebhook,
    answer_callback,
    build_keyboard,
    send_document,
    send_message,
    send_photo,
)
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal, bot_api, settings_with
from tests.support.talking import commit

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
TOKEN = "4242:FAKE-TOKEN-visibly-fake-for-tests"


@pytest.fixture
def home(app: Flask) -> Workspace:
    return factories.workspace()


@pytest.fixture
def deploy(home: Workspace) -> Sender:
    bot = factories.bot(home, name="Deploy")
    with system_scope("a test"):
        bot.chat_ids = ("-1001234567890", "5")
    commit()
    return bot


@pytest.fixture
def web(app: Flask) -> Iterator[str]:
    """A site with a picture and one that is too large."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PNG if self.path == "/a.png" else b"<p>" if self.path == "/page" else PNG + b"x" * (11 << 20)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return  # too much for whoever asked

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def messages() -> list[Message]:
    db.session.rollback()
    with system_scope("a test"):
        return list(db.session.scalars(select(Message).order_by(Message.id)))


def counted(model: Any) -> int:
    with system_scope("a test"):
        return db.session.execute(select(func.count()).select_from(model)).scalar_one()


def test_a_name_is_enough_and_the_answer_says_the_level(deploy: Sender) -> None:
    sent = send_message("Release 4.2", bot_name="deploy", buttons=[[("Open", "https://example.com"), ("Ack", "ack:7")]])
    assert sent.level == "database"
    assert [one.id for one in messages()] == list(sent.message_ids)
    (part,) = messages()[0].body["parts"]
    assert part["buttons"] == [[{"text": "Open", "url": "https://example.com"}, {"text": "Ack", "data": "ack:7"}]]


def test_the_callers_own_transaction_is_neither_seen_nor_stored(deploy: Sender, home: Workspace) -> None:
    with workspace_scope(home.id):
        db.session.add(User(workspace_id=home.id, name="Unsaved", role="viewer", created_at=clock.now()))
        send_message("Hello", bot_name="deploy")
        db.session.rollback()
    assert len(messages()) == 2
    assert counted(User) == 0


def test_a_key_says_it_once_also_as_a_job(deploy: Sender, home: Workspace) -> None:
    first = jobs.send_message(home.id, "release-4.2", "Release 4.2", bot_name="deploy")
    assert jobs.send_message(home.id, "release-4.2", "Release 4.2", bot_name="deploy") == first
    photo = jobs.send_photo(home.id, "a-picture", _file(home), bot_name="deploy", chat_ids=["5"])
    assert jobs.send_photo(home.id, "a-picture", _file(home), bot_name="deploy", chat_ids=[5]) == photo
    document = jobs.send_document(home.id, "a-file", _file(home), "Notes", bot_name="deploy")
    assert jobs.send_document(home.id, "a-file", _file(home), "Notes", bot_name="deploy") == document
    assert len(messages()) == 5


def _file(home: Workspace) -> int:
    with workspace_scope(home.id):
        made = files.upload(factories.by("user:1"), "a.png", io.BytesIO(PNG))
        db.session.commit()
        return made.id


def test_another_workspace_is_named_and_has_bots_of_its_own(deploy: Sender) -> None:
    other = factories.workspace()
    commit()
    with pytest.raises(NotFound, match="bot_not_found"):
        send_message("Hello", bot_name="deploy", workspace_id=other.id)
    with pytest.raises(NotFound, match="workspace_not_found"):
        send_message("Hello", bot_name="deploy", workspace_id=10**9)
    sent = send_message("Hello", token=TOKEN, chat_ids=[5], workspace_id=other.id)
    assert sent.level == "arguments"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"text": " \n"}, "text_empty"),
        ({"text": "<b></b>", "format": "html"}, "text_empty"),
        ({"text": "x" * 100_001}, "text_too_long"),
        ({"text": "x", "format": "markdown"}, "unknown_format"),
        ({"text": "x", "chat_ids": ["me"]}, "bad_chat_id"),
        ({"text": "x", "buttons": [[("Ack", "x" * 65)]]}, "bad_buttons"),
        ({"text": "x", "buttons": [[("", "ack")]]}, "bad_buttons"),
        ({"text": "x", "buttons": [["Ack"]]}, "bad_buttons"),
        ({"text": "x", "buttons": 7}, "bad_buttons"),
    ],
)
def test_what_cannot_be_said_is_refused(deploy: Sender, values: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as raised:
        send_message(bot_name="deploy", **values)
    assert raised.value.code == code
    assert messages() == []


def test_a_keyboard_is_made_of_pairs_and_of_json() -> None:
    made = build_keyboard([[("Open", "https://example.com")], [], [{"text": "Ack", "callback_data": "ack:7"}]])
    assert [[(one.text, one.url, one.data) for one in row] for row in made] == [
        [("Open", "https://example.com", None)],
        [("Ack", None, "ack:7")],
    ]
    assert build_keyboard(made) == made


# --- pictures and documents ---


def test_a_picture_comes_from_content_a_file_or_an_address(deploy: Sender, home: Workspace, web: str) -> None:
    sources: list[Any] = [PNG, io.BytesIO(PNG), _file(home)]
    for source in sources:
        send_photo(source, "Look", bot_name="deploy", chat_ids=["5"])
    with settings_with(egress_allow_private=True):
        send_photo(f"{web}/a.png", "Look", bot_name="deploy", chat_ids=["5"])
        sent = send_document(f"{web}/a.png", bot_name="deploy", chat_ids=["5"], filename="chart.png")
    kinds = [one.body["parts"][0]["media"][0]["kind"] for one in messages()]
    assert kinds == ["photo"] * 4 + ["document"]
    with system_scope("a test"):
        said = db.session.get_one(Message, sent.message_ids[0]).body["parts"][0]["media"][0]
    assert (said["filename"], said["mime"]) == ("chart.png", "image/png")


def test_too_large_a_picture_is_refused_with_nothing_stored(deploy: Sender, web: str) -> None:
    large = PNG + b"x" * (10 << 20)
    with settings_with(egress_allow_private=True):
        for source in (large, io.BytesIO(large), f"{web}/large.png"):
            with pytest.raises(TooLarge):
                send_photo(source, bot_name="deploy")
    assert messages() == []
    assert counted(StoredFile) == 0


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://127.0.0.1/a.png", "private_address"),
        ("http://[::1]/a.png", "private_address"),
        ("http://169.254.169.254/latest", "private_address"),
        ("ftp://example.com/a.png", "address_malformed"),
        ("file:///etc/passwd", "address_malformed"),
        ("a.png", "address_malformed"),
    ],
)
def test_an_address_that_is_not_public_is_refused(deploy: Sender, address: str, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        send_photo(address, bot_name="deploy")
    assert code in str(raised.value.detail)
    assert messages() == []


def test_what_is_no_picture_is_refused(deploy: Sender, home: Workspace, web: str) -> None:
    with settings_with(egress_allow_private=True):
        for source in (b"just words", f"{web}/page"):
            with pytest.raises(Invalid) as raised:
                send_photo(source, bot_name="deploy")
            assert raised.value.code == "not_a_picture"
    with pytest.raises(NotFound):
        send_photo(10**9, bot_name="deploy")
    assert (messages(), counted(StoredFile)) == ([], 0)


# --- buttons and webhooks ---


def test_a_press_is_answered_without_a_chat(deploy: Sender) -> None:
    with system_scope("a test"):
        deploy.chat_ids = ()
    commit()
    assert answer_callback("12345", "Done", alert=True, bot_name="deploy") == "database"
    with system_scope("a test"):
        (row,) = db.session.scalars(select(Delivery))
        assert (row.operation, row.payload) == (
            "answer_callback",
            {"external_id": "12345", "text": "Done", "show_alert": True},
        )
    with pytest.raises(Invalid, match="bad_callback"):
        answer_callback("", bot_name="deploy")


@pytest.fixture
def api(app: Flask) -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


def test_a_webhook_is_set_read_and_deleted(deploy: Sender, home: Workspace, api: BotApi) -> None:
    webhook = TelegramWebhook("deploy")
    url = webhook.set("https://x.example", drop_pending=True)
    assert url == f"https://x.example/api/telegram/webhook/{deploy.id}/"
    api.answers["getWebhookInfo"] = {"url": url, "pending_update_count": 3}
    assert (webhook.info().pending, webhook.info().ours) == (3, False)
    webhook.delete()
    assert jobs.set_webhook(home.id, deploy.id).endswith(f"/{deploy.id}/")
    jobs.delete_webhook(home.id, deploy.id)
    assert len(api.called("deleteWebhook")) == 2
    api.answers["setWebhook"] = Refusal(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook")
    with pytest.raises(Invalid):
        webhook.set()


def test_an_update_that_the_host_received_is_stored_once(deploy: Sender) -> None:
    webhook, secret = TelegramWebhook(bot_id=deploy.id), senders.webhook_secret_of(deploy)
    header = {"x-telegram-bot-api-secret-token": secret}
    assert webhook.handle(header, b'{"update_id": 1}') is True
    assert webhook.handle(header, b'{"update_id": 1}') is False
    with pytest.raises(Unauthorized):
        webhook.handle({"x-telegram-bot-api-secret-token": "wrong"}, b'{"update_id": 2}')
    assert counted(WebhookEvent) == 1


def test_a_bot_that_only_sends_has_no_webhook(home: Workspace) -> None:
    from backend.core.config import BotConfig

    commit()
    with (
        settings_with(telegram_bot_configs=(BotConfig(name="night", token=TOKEN, chat_ids="5"),)),
        pytest.raises(Conflict, match="no_webhook"),
    ):
        TelegramWebhook("night").info()


def test_every_function_has_its_job() -> None:
    for name in ("send_message", "send_photo", "send_document", "answer_callback"):
        assert callable(getattr(jobs, name))
        assert callable(getattr(host_api, name))
