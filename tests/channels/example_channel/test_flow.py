"""The way of a channel that was added by its folder and one line: from a webhook to a sent answer, and back to a
receipt, through the web process as it is served and through Flask alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.app import create_app
from backend.asgi.application import AsgiApplication
from backend.channels import registry
from backend.channels.base import Button, Content, Media, Template
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Conversation, Message, PendingReceipt, UnknownRecipient, WebhookEvent
from backend.services import delivery, intake
from backend.services.dispatch import gate_sweep
from backend.services.receipts import pending
from tests.channels.example_channel.client import ExampleClient
from tests.channels.example_channel.spec import SIGNATURE
from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.support import example_provider as example
from tests.support import factories
from tests.support.engine import fresh, idle, run_until
from tests.support.example_provider import body, message, signed
from tests.support.serving import ask, serving

Call = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def provider(app: Flask) -> Iterator[ScriptedServer]:
    """The example provider, with the channel added."""
    with example.added(), scripted_server() as server, system_scope("the flow is watched over all workspaces"):
        registry.put("example", ExampleClient(server.url))
        yield server


@pytest.fixture
def instance(provider: ScriptedServer, settings: config.Settings) -> Flask:
    """The application, started after the channel was added."""
    return create_app(settings)


@pytest.fixture(params=["asgi", "flask"])
def call(request: pytest.FixtureRequest, instance: Flask) -> Iterator[Call]:
    """Calls the instance; status, content and type of the answer."""
    if request.param == "flask":
        client = instance.test_client()

        def by_flask(method: str, path: str, raw: bytes = b"", **headers: str) -> tuple[int, bytes, str]:
            said = client.open(path, method=method, data=raw, headers=headers)
            return said.status_code, said.data, said.headers["Content-Type"]

        yield by_flask
        return
    with serving(AsgiApplication(instance)) as port:

        def by_asgi(method: str, path: str, raw: bytes = b"", **headers: str) -> tuple[int, bytes, str]:
            said: Any = ask(port, method, path, raw, **headers)
            return said.status, said.content, said.headers["content-type"]

        yield by_asgi


def events() -> list[tuple[int, str]]:
    db.session.rollback()
    rows = db.session.execute(select(WebhookEvent).order_by(WebhookEvent.id)).scalars()
    return [(row.sender_id, row.state) for row in rows]


def drain() -> None:
    intake.drain(Turn(60.0))
    db.session.rollback()


def test_from_a_webhook_to_an_answer_and_back_to_a_receipt(app: Flask, provider: ScriptedServer, call: Call) -> None:
    home = factories.workspace()
    one, two = example.sender(home, "account-1"), example.sender(home, "account-2")
    path = f"/example/webhook/{one.id}"

    raw = body(
        ("account-1", message(1, text="한 hi")), ("account-2", message(2)), ("account-1", message(1, text="한 hi"))
    )
    assert call("POST", path, raw, **signed(raw))[0] == 200
    assert events() == [(one.id, "new"), (two.id, "new")], "three items of two senders, one of them twice"
    drain()
    assert events() == [(one.id, "done"), (two.id, "done")]
    chats = db.session.execute(select(Conversation).order_by(Conversation.sender_id)).scalars().all()
    assert [(chat.sender_id, chat.title, chat.workspace_id) for chat in chats] == [
        (one.id, "Ann", home.id),
        (two.id, "Ann", home.id),
    ]
    assert chats[0].identity_id != chats[1].identity_id, "a person has another id at each sender"
    received = db.session.execute(select(Message).where(Message.sender_id == one.id)).scalar_one()
    assert (received.direction, received.body["parts"][0]["text"]) == ("in", "한 hi")

    provider.script = [answer(200, {"id": "example-1"})]
    reply = delivery.send(chats[0], Content("an answer"), kind="test", lane=delivery.Priority.REPLY)
    db.session.commit()
    run_until(app, idle)
    assert (fresh(reply).state, fresh(reply).external_id) == ("accepted", "example-1")
    (request,) = provider.received
    assert request.json == {"from": "account-1", "to": "person-1", "text": "an answer", "ref": f"{reply.id}:0"}
    assert request.headers["authorization"] == f"Bearer {one.credentials}"

    raw = body(
        ("account-1", {"type": "echo", "id": "example-1", "to": "person-1", "text": "an answer"}),
        ("account-1", {"type": "status", "message": "example-1", "status": "read", "at": 1700000009}),
        ("account-1", {"type": "status", "message": "example-1", "status": "delivered", "at": 1700000008}),
        ("account-1", {"type": "poke", "from": {"id": "person-1"}}),
    )
    assert call("POST", path, raw, **signed(raw))[0] == 200
    drain()
    assert [state for _, state in events()[2:]] == ["done", "done", "done", "ignored"]
    read = fresh(reply)
    assert (read.state, read.read_at and read.read_at.timestamp()) == ("read", 1700000009)
    assert len(db.session.execute(select(Message.id)).all()) == 3, "our own echo is no message"
    assert call("POST", path, raw, **signed(raw))[0] == 200
    assert len(events()) == 6, "the provider repeats itself"


def test_what_overtakes_the_record_is_settled_after_it(app: Flask, provider: ScriptedServer, call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1")
    raw = body(("account-1", message(1)))
    call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))
    drain()
    chat = db.session.execute(select(Conversation)).scalar_one()
    reply = delivery.send(chat, Content("an answer"), kind="test")
    db.session.commit()
    ours = {"to": "person-1", "text": "an answer", "ref": f"{reply.id}:0"}
    raw = body(
        ("account-1", {"type": "echo", "id": "example-1"} | ours),
        ("account-1", {"type": "status", "message": "example-1", "status": "delivered"}),
        ("account-1", {"type": "echo", "id": "by-hand", "to": "person-1", "text": "from a telephone"}),
    )
    assert call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))[0] == 200
    drain()
    assert len(db.session.execute(select(PendingReceipt.id)).all()) == 2
    provider.script = [answer(200, {"id": "example-1"})]
    run_until(app, idle)
    clock.move(2)
    assert pending.retry(Turn(60.0)) == 2
    assert fresh(reply).state == "delivered"
    others = db.session.execute(select(Message).where(Message.kind == "provider_reply")).scalars().all()
    assert [other.body["parts"][0]["text"] for other in others] == ["from a telephone"]


def messages() -> dict[str, tuple[str, str | None]]:
    """State and reason of what was to be said, by its text."""
    db.session.rollback()
    sent = db.session.execute(select(Message).where(Message.direction == "out").order_by(Message.id)).scalars().all()
    statuses = delivery.statuses_of(sent)
    return {
        message.body["parts"][0]["text"]: (status.state, status.reason)
        for message, status in zip(sent, statuses, strict=True)
    }


def test_after_the_reply_window_only_a_template_goes(app: Flask, provider: ScriptedServer, call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1")

    def write(number: int) -> Conversation:
        raw = body(("account-1", message(number)))
        call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))
        drain()
        return db.session.execute(select(Conversation)).scalar_one()

    chat = write(1)
    reminder = Template("reminder", "en", ("Ann",))
    tomorrow = clock.now() + timedelta(hours=25)
    delivery.send(chat, Content("in time"), kind="test", not_before=clock.now() + timedelta(hours=23))
    delivery.send(chat, Content("too late"), kind="test", not_before=tomorrow)
    delivery.send(chat, Content("Dear Ann", template=reminder), kind="test", not_before=tomorrow)
    db.session.commit()
    gate_sweep.apply()
    assert {state for state, _ in messages().values()} == {"queued"}, "the window is open"

    clock.move(23 * 3600 + 60)
    provider.script = [answer(200, {"id": "example-1"})]
    run_until(app, lambda: messages()["in time"][0] == "accepted")
    clock.move(58 * 60)
    assert messages()["too late"] == ("queued", "window_closed"), "a minute is to spare, and nothing has swept yet"
    assert gate_sweep.apply() == 1
    assert messages()["too late"] == ("canceled", "window_closed")

    clock.move(62 * 60)
    provider.script = [answer(200, {"id": "example-2"})]
    run_until(app, idle)
    assert messages()["Dear Ann"] == ("accepted", None)
    assert provider.received[-1].json["template"] == {"name": "reminder", "values": ["Ann"]}
    chat = db.session.execute(select(Conversation)).scalar_one()
    delivery.send(chat, Content("refused at once"), kind="test")
    db.session.commit()
    assert messages()["refused at once"] == ("canceled", "window_closed")

    delivery.send(write(2), Content("again"), kind="test")
    db.session.commit()
    provider.script = [answer(200, {"id": "example-3"})]
    run_until(app, idle)
    assert messages()["again"] == ("accepted", None), "a message of the person opens the window again"


def test_what_the_channel_cannot_carry_never_takes_the_words_with_it(
    app: Flask, provider: ScriptedServer, call: Call
) -> None:
    one = example.sender(factories.workspace(), "account-1")
    raw = body(("account-1", message(1)))
    call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))
    drain()
    chat = db.session.execute(select(Conversation)).scalar_one()
    picture = Media("photo", storage_key="a-picture")
    buttons = ((Button("Site", url="https://example.com"), Button("Mute", data="mute")),)
    told = delivery.send(chat, Content("<b>Hello</b>", "html", buttons, (picture,)), kind="test", reply_to="m1")
    alone = delivery.send(chat, Content(media=(picture,)), kind="test")
    db.session.commit()
    assert delivery.status_of(told).left_out == ("attachment", "buttons", "formatting")
    assert told.reply_to is None
    assert (alone.state, alone.error) == ("canceled", "media_unsupported")
    provider.script = [answer(200, {"id": "example-1"})]
    run_until(app, idle)
    assert [request.json["text"] for request in provider.received] == ["Hello\n\nSite: https://example.com"]

    delivery.edit(fresh(told), Content("changed", media=(picture,)))
    db.session.commit()
    run_until(app, idle)
    assert (fresh(told).state, fresh(told).gone_code) == ("accepted", "edit_unsupported")
    delivery.delete(fresh(told))
    db.session.commit()
    run_until(app, idle)
    delivery.chat_action(chat)
    db.session.commit()
    assert idle(), "the channel shows no typing"
    assert len(provider.received) == 1, "what the channel cannot do is not asked of the provider"


def test_a_handshake_is_answered_as_plain_text_or_refused(call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1", verify_token="t0ken")
    query = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    for path, token, other in (
        (f"/example/webhook/{one.id}", "t0ken", "example-verify-token"),
        ("/example/webhook", "example-verify-token", "t0ken"),
    ):
        status, content, kind = call("GET", f"{path}{query}{token}")
        assert (status, content, kind.split(";")[0]) == (200, b"1158201444", "text/plain")
        status, content, _ = call("GET", f"{path}{query}{other}")
        assert (status, json.loads(content)["error"]["code"]) == (403, "wrong_token")
        assert call("GET", path)[0] == 403
    assert call("GET", f"/example/webhook/99{query}t0ken")[0] == 404


def test_only_the_raw_bytes_that_were_signed_are_taken(call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1", second_app_secret="the-second")
    path = f"/example/webhook/{one.id}"
    plain = body(("account-1", message(1, text="한/글")))
    escaped = plain.replace(b"/", rb"\/")
    assert plain != escaped
    for raw, headers in (
        (escaped, signed(plain)),
        (plain, signed(escaped)),
        (plain, {}),
        (plain, {SIGNATURE: "sha256="}),
        (plain, {SIGNATURE: signed(plain)[SIGNATURE].removeprefix("sha256=")}),
        (plain, signed(plain, example.ENVIRONMENT_SECRET)),
    ):
        status, content, _ = call("POST", path, raw, **headers)
        assert (status, json.loads(content)["error"]["code"]) == (401, "wrong_secret")
    assert events() == []
    assert call("POST", path, escaped, **signed(escaped))[0] == 200
    assert call("POST", path, plain, **signed(plain, "the-second"))[0] == 200
    assert len(events()) == 1, "escaped or not, it is one item"


def test_a_genuine_body_is_answered_200_whatever_it_holds(call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1")
    path = f"/example/webhook/{one.id}/"
    for raw in (b"", b"\xff", b"[]", b"{}", b'{"accounts": []}', body(("account-9", message(1)))):
        assert call("POST", path, raw, **signed(raw))[0] == 200
    assert [state for _, state in events()] == ["parked"] * 4 + ["new"]
    assert db.session.execute(select(UnknownRecipient.recipient_id, UnknownRecipient.count)).all() == [("account-9", 1)]


def test_a_body_over_the_channels_limit_is_refused(call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1")
    raw = b" " * (256 * 1024 + 1)
    assert call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))[0] == 413
    raw = raw[:-1]
    assert call("POST", f"/example/webhook/{one.id}", raw, **signed(raw))[0] == 200


def test_the_environments_sender_has_an_address_of_its_own(call: Call) -> None:
    home = factories.workspace()
    db.session.commit()
    raw = body(("account-0", message(1)))
    assert call("POST", "/example/webhook", raw, **signed(raw))[0] == 401
    assert call("POST", "/example/webhook", raw, **signed(raw, example.ENVIRONMENT_SECRET))[0] == 200
    drain()
    received = db.session.execute(select(Message)).scalar_one()
    assert received.workspace_id == home.id


def test_without_a_secret_a_webhook_is_refused(call: Call) -> None:
    one = example.sender(factories.workspace(), "account-1", secret="")
    raw = body(("account-1", message(1)))
    assert call("POST", f"/example/webhook/{one.id}", raw, **signed(raw, ""))[0] == 401
    assert events() == []
