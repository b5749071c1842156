"""What Messenger and Instagram are asked for when something is said."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend.channels import transport
from backend.channels.base import Button, Content, Credentials, Media, Operation
from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.forms import Form
from backend.channels.instagram import spec as instagram
from backend.channels.messenger import spec as messenger
from backend.channels.meta_messaging.client import MetaMessaging
from tests.channels.meta_messaging.answers import TIMES, VERSION, refusal, sent
from tests.channels.scripted_server import Connection, ScriptedServer, answer, drop, scripted_server

NEVER = float("inf")
CREDENTIALS = Credentials("EAAB-example-token-of-a-page", "1000000001")
PICTURE = Media("photo", storage_key="a-picture", mime="image/png", opener=lambda: io.BytesIO(b"picture"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def channel(server: ScriptedServer) -> MetaMessaging:
    return messenger.channel_at(server.url, VERSION, timeouts=TIMES)


def send(content: Content, **fields: Any) -> Operation:
    return Operation("send", chat_id="2000000002", content=content, client_ref="12:0", **fields)


def said(server: ScriptedServer, op: Operation, *script: Any, by: MetaMessaging | None = None) -> Any:
    """What was asked for to send this, with the last request's JSON."""
    server.script = list(script) or [sent("m_1")]
    receipt = (by or channel(server)).perform(CREDENTIALS, op, deadline=NEVER)
    assert receipt.external_ids == ("m_1",)
    return server.received[-1].json


def refused(server: ScriptedServer, step: Any, op: Operation | None = None) -> ChannelError:
    server.script = [step]
    with pytest.raises(ChannelError) as caught:
        channel(server).perform(CREDENTIALS, op or send(Content("hi")), deadline=NEVER)
    return caught.value


def test_a_text_is_an_answer_with_our_reference(server: ScriptedServer):
    assert said(server, send(Content("hello"))) == {
        "recipient": {"id": "2000000002"},
        "messaging_type": "RESPONSE",
        "message": {"text": "hello", "metadata": "12:0"},
    }
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/v26.0/me/messages")
    assert request.headers["authorization"] == f"Bearer {CREDENTIALS.token}"


def test_instagram_gets_no_reference(server: ScriptedServer):
    by = instagram.channel_at(server.url, "", VERSION, timeouts=TIMES)
    assert said(server, send(Content("hello")), by=by)["message"] == {"text": "hello"}


def test_only_a_persons_reply_is_tagged(server: ScriptedServer):
    tagged = said(server, send(Content("hello"), human_agent=True))
    assert (tagged["messaging_type"], tagged["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")
    assert "tag" not in said(server, send(Content("hello")))


def test_what_it_replies_to_is_left_out_where_it_is_refused(server: ScriptedServer):
    op = send(Content("hello"), reply_to="m_0")
    assert said(server, op)["reply_to"] == {"mid": "m_0"}
    assert "reply_to" not in said(server, op, refusal(400, 100), sent("m_1"))
    assert isinstance(refused(server, refusal(400, 10, 2018278), op), Rejected)
    assert len(server.received) == 4, "a closed window is not asked twice"


def test_choices_and_buttons(server: ScriptedServer):
    choices = ((Button("Yes, and more than twenty letters", data="yes"), Button("No", data="no")),)
    message = said(server, send(Content("Well?", buttons=choices)))["message"]
    assert message["quick_replies"] == [
        {"content_type": "text", "title": "Yes, and more than…", "payload": "yes"},
        {"content_type": "text", "title": "No", "payload": "no"},
    ]
    site = Button("Site", url="https://example.com/")
    message = said(server, send(Content("Well?", buttons=((site, Button("No", data="no")),))))["message"]
    payload = message["attachment"]["payload"]
    assert (payload["template_type"], payload["text"]) == ("button", "Well?")
    assert [button["type"] for button in payload["buttons"]] == ["web_url", "postback"]
    long = "word " * 200
    message = said(server, send(Content(long, buttons=((site, Button("No", data="no")),))))["message"]
    assert message["text"] == f"{long}\n\nSite: https://example.com/"
    assert [reply["title"] for reply in message["quick_replies"]] == ["No"]


def test_a_file_is_uploaded_once_and_sent_by_its_id(server: ScriptedServer):
    one = channel(server)
    server.script = [answer(200, {"attachment_id": "900"}), sent("m_1"), sent("m_2")]
    for _ in range(2):
        one.perform(CREDENTIALS, send(Content(media=(PICTURE,))), deadline=NEVER)
    upload, *messages = server.received
    assert upload.path == "/v26.0/me/message_attachments"
    assert b"picture" in upload.body
    assert [request.json["message"]["attachment"] for request in messages] == [
        {"type": "image", "payload": {"attachment_id": "900"}}
    ] * 2


def test_an_upload_that_nobody_answers_has_said_nothing(server: ScriptedServer):
    error = refused(server, drop, send(Content(media=(PICTURE,))))
    assert isinstance(error, RetryLater)
    assert error.__context__ is None


def test_a_send_that_came_too_late_behind_its_upload_has_only_to_be_sent(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
):
    one, uploaded, late = channel(server), answer(200, {"attachment_id": "900"}), [0.0]
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + late[0]))

    def slowly(connection: Connection) -> bool:
        late[0] = 3600.0
        return uploaded(connection)

    server.script = [slowly, sent("m_1")]
    with pytest.raises(RetryLater, match="deadline_passed"):
        one.perform(CREDENTIALS, send(Content(media=(PICTURE,))), deadline=time.monotonic() + 60)
    assert one.perform(CREDENTIALS, send(Content(media=(PICTURE,))), deadline=NEVER).external_ids == ("m_1",)
    assert len(server.received) == 2


def test_typing_and_reading(server: ScriptedServer):
    server.script = [answer(200, {"recipient_id": "2000000002"})] * 3
    for text in ("", "typing", "mark_seen"):
        channel(server).perform(CREDENTIALS, Operation("chat_action", chat_id="2", text=text), deadline=NEVER)
    assert [request.json["sender_action"] for request in server.received] == ["typing_on", "typing_on", "mark_seen"]


@pytest.mark.parametrize(
    ("status", "code", "subcode", "error", "reason"),
    [
        (400, 10, 2018278, Rejected, "window_closed"),
        (403, 10, 2534022, Rejected, "window_closed"),
        (400, 10, 1545041, Rejected, "window_closed"),
        (400, 551, 1545041, RecipientUnreachable, "unavailable"),
        (400, 551, 0, RecipientUnreachable, "unavailable"),
        (403, 200, 2534014, RecipientUnreachable, "unavailable"),
        (400, 100, 2018001, RecipientUnreachable, "unavailable"),
        (400, 2018300, 0, Rejected, "not_in_charge"),
        (400, 100, 2018300, Rejected, "not_in_charge"),
        (400, 100, 2018344, Rejected, "refused"),
        (400, 200, 2018108, Rejected, "development_mode"),
        (403, 10, 1893063, SenderDisabled, "account_restricted"),
        (403, 10, 0, Rejected, "permission_missing"),
        (403, 230, 0, Rejected, "permission_missing"),
        (400, 190, 0, SenderDisabled, "token_refused"),
        (400, 190, 463, SenderDisabled, "token_expired"),
        (403, 613, 0, RetryLater, "rate_limited"),
        (400, 4, 0, RetryLater, "rate_limited"),
        (400, 32, 0, RetryLater, "rate_limited"),
        (400, 100, 2018338, RetryLater, "rate_limited"),
        (500, 1200, 0, RetryLater, "platform_failed"),
        (500, 2, 0, RetryLater, "platform_failed"),
        (500, 1, 0, OutcomeUnknown, "platform_failed"),
        (400, 9999, 0, Rejected, "refused"),
    ],
)
def test_what_refusals_mean(
    server: ScriptedServer, status: int, code: int, subcode: int, error: type[ChannelError], reason: str
):
    found = refused(server, refusal(status, code, subcode))
    assert (type(found), found.code) == (error, reason)
    if isinstance(found, RecipientUnreachable):
        assert not found.disables_link, "they may write again at any time"


def test_refusals_that_say_more_in_words(server: ScriptedServer):
    words = "(#200) Requires Advanced Access to pages_messaging"
    assert refused(server, refusal(403, 200, message=words)).code == "advanced_access_missing"
    words = "(#100) Length of param message[text] must be less than or equal to 2000"
    assert refused(server, refusal(400, 100, message=words)).code == "text_too_long"


def test_milder_forms(server: ScriptedServer):
    one = channel(server)
    long = send(Content("word " * 300))
    assert one.milder(long, Rejected("text_too_long")) == Form(narrower=1)
    pictured = send(Content(media=(PICTURE,)), part=1)
    assert one.milder(pictured, Rejected("media_refused")) == Form(media_kept=1)
    buttons = send(Content("Well?", buttons=((Button("No", data="no"),),)))
    assert one.milder(buttons, Rejected("refused")) == Form(without_buttons=True)
    for code in ("window_closed", "not_in_charge", "permission_missing"):
        assert one.milder(buttons, Rejected(code)) is None


def test_what_the_provider_cannot_be_asked(server: ScriptedServer):
    for op in (
        Operation("edit", chat_id="2", content=Content("x"), external_id="m_1"),
        Operation("send", chat_id="a/../b", content=Content("x")),
        Operation("send", chat_id="2", content=Content(" ")),
        Operation("chat_action", chat_id="2", text="dance"),
    ):
        with pytest.raises(Rejected):
            channel(server).perform(CREDENTIALS, op, deadline=NEVER)
    assert server.received == []


def test_instagrams_two_apis(server: ScriptedServer):
    with scripted_server() as login:
        both = instagram.channel_at(server.url, login.url, VERSION, timeouts=TIMES)
        server.script, login.script = [sent("m_1")], [sent("m_2")]
        by_page = both.perform(CREDENTIALS, send(Content("hi")), deadline=NEVER)
        by_login = both.perform(Credentials("IGAA-example-token"), send(Content("hi")), deadline=NEVER)
        assert (by_page.external_ids, by_login.external_ids) == (("m_1",), ("m_2",))
