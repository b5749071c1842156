"""Sends as WhatsApp's calls: texts, files, buttons, templates, and whom they are for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from backend.channels.base import Button, Content, Credentials, Media, Operation, Receipt, Template
from backend.channels.errors import Rejected, RetryLater
from backend.channels.forms import Form
from backend.channels.whatsapp.channel import WhatsApp
from backend.channels.whatsapp.media import DOCUMENT_BYTES, MB, prepare
from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.channels.whatsapp.bodies import BSUID, NUMBER, PERSON
from tests.channels.whatsapp.test_contract import api_at

CREDENTIALS = Credentials("EXAMPLE-not-a-real-token", NUMBER)
NEVER = float("inf")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def channel(server: ScriptedServer) -> WhatsApp:
    return WhatsApp(api_at(server.url))


def send(server: ScriptedServer, channel: WhatsApp, content: Content, **more: Any) -> dict[str, Any]:
    """The body of the call by which a content is sent."""
    contact = {"input": PERSON, "wa_id": PERSON, "user_id": BSUID}
    server.script.append(answer(200, {"contacts": [contact], "messages": [{"id": "wamid.1"}]}))
    op = Operation("send", **({"chat_id": PERSON} | more), content=content)
    assert channel.perform(CREDENTIALS, op, deadline=NEVER).external_ids == ("wamid.1",)
    body: dict[str, Any] = server.received[-1].json
    return body


def file(kind: str = "photo", **more: Any) -> Media:
    """A stored file that can be opened."""
    named: dict[str, Any] = {"storage_key": "k1", "mime": "image/png", "filename": "a.png", "size": 3}
    return Media(**(named | {"kind": kind} | more), opener=lambda: io.BytesIO(b"abc"))


def test_a_text_with_an_answer_and_our_own_reference(server: ScriptedServer, channel: WhatsApp) -> None:
    body = send(server, channel, Content("hi"), reply_to="wamid.in", client_ref="12:0")
    assert body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": PERSON,
        "type": "text",
        "text": {"body": "hi", "preview_url": True},
        "context": {"message_id": "wamid.in"},
        "biz_opaque_callback_data": "12:0",
    }
    assert server.received[-1].path == f"/v26.0/{NUMBER}/messages"


def test_an_id_of_the_business_goes_into_recipient(server: ScriptedServer, channel: WhatsApp) -> None:
    body = send(server, channel, Content("hi"), chat_id=BSUID)
    assert (body["recipient"], "to" in body) == (BSUID, False)
    with pytest.raises(Rejected, match="chat_id_malformed"):
        send(server, channel, Content("hi"), chat_id="+82 10")


def test_a_receipt_keeps_what_was_learnt_of_the_person(server: ScriptedServer, channel: WhatsApp) -> None:
    held = {"id": "wamid.1", "message_status": "held_for_quality_assessment"}
    server.script = [answer(200, {"contacts": [{"wa_id": PERSON, "user_id": BSUID}], "messages": [held]})]
    template = Content("Hi Ann", template=Template("hello", "en", body=("Ann",)))
    receipt = channel.perform(CREDENTIALS, Operation("send", chat_id=PERSON, content=template), deadline=NEVER)
    assert receipt == Receipt(("wamid.1",), {"held": True, "wa_id": PERSON, "user_id": BSUID})


def test_a_template_with_its_values(server: ScriptedServer, channel: WhatsApp) -> None:
    template = Template("hello", "ko", body=("Ann",), header=("A",), buttons=("", "x"))
    block = send(server, channel, Content("preview", template=template))["template"]
    assert block["language"] == {"code": "ko"}
    assert [part["type"] for part in block["components"]] == ["header", "body", "button"]
    assert block["components"][2]["index"] == "1"


def test_a_file_is_uploaded_once(server: ScriptedServer, channel: WhatsApp) -> None:
    server.script = [answer(200, {"id": "77"})]
    assert send(server, channel, Content("look", media=(file(),)))["image"] == {"id": "77", "caption": "look"}
    assert send(server, channel, Content(media=(file(),)))["image"] == {"id": "77"}
    assert [request.path.rpartition("/")[2] for request in server.received] == ["media", "messages", "messages"]
    assert b'name="file"; filename="a.png"' in server.received[0].body


def test_a_refused_file_is_uploaded_again(server: ScriptedServer, channel: WhatsApp) -> None:
    gone = answer(400, {"error": {"code": 131009, "message": "no such media"}})
    server.script = [answer(200, {"id": "77"}), gone, answer(200, {"id": "78"})]
    op = Operation("send", chat_id=PERSON, content=Content(media=(file(),)))
    with pytest.raises(Rejected):
        channel.perform(CREDENTIALS, op, deadline=NEVER)
    assert send(server, channel, Content(media=(file(),)))["image"] == {"id": "78"}


def test_a_file_by_its_address_is_not_uploaded(server: ScriptedServer, channel: WhatsApp) -> None:
    media = Media("document", url="https://example.com/a.pdf", filename="a.pdf", mime="application/pdf")
    block = send(server, channel, Content(media=(media,)))["document"]
    assert block == {"link": "https://example.com/a.pdf", "filename": "a.pdf"}


def test_a_file_that_cannot_be_read_is_tried_again(channel: WhatsApp) -> None:
    def opener() -> io.BytesIO:
        raise OSError

    media = Media("photo", storage_key="k", mime="image/png", opener=opener)
    with pytest.raises(RetryLater, match="storage_failed"):
        channel.perform(CREDENTIALS, Operation("send", chat_id=PERSON, content=Content(media=(media,))), deadline=NEVER)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "photo", "mime": "image/png"}, ("image", "image/png", False)),
        ({"kind": "photo", "mime": "image/webp", "filename": "a.webp"}, ("document", "text/plain", False)),
        ({"kind": "photo", "mime": "image/png", "size": 6 * MB}, ("document", "text/plain", False)),
        ({"kind": "voice", "mime": "audio/ogg", "filename": "a.webm"}, ("audio", "audio/ogg; codecs=opus", True)),
        ({"kind": "voice", "mime": "audio/mp4", "filename": "a.m4a"}, ("audio", "audio/mp4", False)),
        ({"kind": "voice", "mime": "audio/webm", "filename": "a.webm"}, ("document", "text/plain", False)),
        ({"kind": "audio", "mime": "audio/x-m4a"}, ("audio", "audio/mp4", False)),
        ({"kind": "video", "mime": "video/mp4", "size": 10 * MB}, ("video", "video/mp4", False)),
        ({"kind": "document", "mime": "", "filename": "a.pdf"}, ("document", "application/pdf", False)),
        ({"kind": "sticker", "mime": "image/webp"}, ("sticker", "image/webp", False)),
    ],
)  # fmt: skip
def test_how_a_file_goes_out(given: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    prepared = prepare(Media(storage_key="k", **given))
    assert (prepared.kind, prepared.mime, prepared.voice) == expected
    if prepared.voice:
        assert prepared.filename.endswith(".ogg")


def test_a_file_beyond_every_limit_is_not_uploaded() -> None:
    with pytest.raises(Rejected, match="file_too_large"):
        prepare(Media("document", storage_key="k", size=DOCUMENT_BYTES + 1))


def test_buttons_of_a_message(server: ScriptedServer, channel: WhatsApp) -> None:
    buttons = ((Button("Yes, I would like that very much", data="y"), Button("No", data="n")),)
    block = send(server, channel, Content("Shall we?", buttons=buttons))["interactive"]
    titles = [button["reply"]["title"] for button in block["action"]["buttons"]]
    assert (block["type"], block["body"]["text"], titles) == ("button", "Shall we?", ["Yes, I would like t…", "No"])
    link = ((Button("Open", url="https://example.com/"),),)
    block = send(server, channel, Content("Look", buttons=link))["interactive"]
    assert block["action"]["parameters"] == {"display_text": "Open", "url": "https://example.com/"}
    mixed = ((Button("Open", url="https://example.com/"), Button("Stop", data="s")),)
    block = send(server, channel, Content("Look", buttons=mixed))["interactive"]
    assert block["body"]["text"] == "Look\nOpen: https://example.com/"


def test_a_text_that_fits_is_one_message(channel: WhatsApp) -> None:
    assert len(channel.split(Content("👍" * 4096))) == 1
    assert len(channel.split(Content("x" * 4097))) == 2
    long = channel.split(Content("word " * 300, buttons=((Button("A", data="a"),),)))
    assert [bool(part.buttons) for part in long] == [False, True]


def test_files_come_first_and_carry_the_text_where_they_can(channel: WhatsApp) -> None:
    photos = (file(), file(storage_key="k2"))
    parts = channel.split(Content("both", media=photos))
    assert [(part.text, len(part.media)) for part in parts] == [("both", 1), ("", 1)]
    voice = channel.split(Content("listen", media=(file("voice", mime="audio/ogg", filename="v.ogg"),)))
    assert [(part.text, len(part.media)) for part in voice] == [("", 1), ("listen", 0)]
    long = channel.split(Content("x" * 1025, media=(file(),)))
    assert [(len(part.text), len(part.media)) for part in long] == [(0, 1), (1025, 0)]


def test_what_is_refused_goes_out_milder(channel: WhatsApp) -> None:
    pressed = Content("Hi", buttons=((Button("Open", url="https://example.com/"), Button("A", data="a")),))
    op = Operation("send", chat_id=PERSON, content=pressed)
    form = channel.milder(op, Rejected("refused"))
    assert form == Form(without_buttons=True)
    assert [part.text for part in channel.split(pressed, form)] == ["Hi\nOpen: https://example.com/"]
    video = Operation("send", chat_id=PERSON, content=Content(media=(file("video", mime="video/mp4"),)))
    assert channel.milder(video, Rejected("media_refused")) == Form(as_documents=True)
    assert channel.milder(op, Rejected("window_closed")) is None


def test_reading_and_typing_need_the_message_they_are_about(server: ScriptedServer, channel: WhatsApp) -> None:
    server.script = [answer(200, {"success": True})] * 2
    typing = Operation("chat_action", chat_id=PERSON, text="typing", external_id="wamid.in")
    channel.perform(CREDENTIALS, typing, deadline=NEVER)
    assert server.received[0].json["typing_indicator"] == {"type": "text"}
    channel.perform(
        CREDENTIALS, Operation("chat_action", chat_id=PERSON, text="mark_read", external_id="wamid.in"), deadline=NEVER
    )
    assert server.received[1].json == {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.in"}
    assert channel.perform(CREDENTIALS, Operation("chat_action", chat_id=PERSON), deadline=NEVER).facts["skipped"]
    assert len(server.received) == 2


@pytest.mark.parametrize(("kind", "code"), [("edit", "edit_unsupported"), ("delete", "delete_unsupported")])
def test_what_whatsapp_lacks_is_not_asked(server: ScriptedServer, channel: WhatsApp, kind: Any, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        channel.perform(CREDENTIALS, Operation(kind, chat_id=PERSON, external_id="wamid.1"), deadline=NEVER)
    assert server.received == []
