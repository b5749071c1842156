"""Messenger and Instagram in the simulated Graph API: sends with their refusals, echoes, files, thread control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.support.graph_box import APP_ID, GraphBox
from tests.support.installation import wait_for
from tests.support.pages_box import ACCOUNT, IGSID, PAGE, PAGE_TOKEN, PSID, PagesBox
from tests.support.telegram_box import JSON, TelegramBox

INBOX = "263902037430900"


@pytest.fixture(scope="module")
def box() -> Iterator[TelegramBox]:
    with TelegramBox() as started:
        yield started


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.script = [answer(200, b"")] * 50
        yield server


@pytest.fixture
def pages(box: TelegramBox, web: ScriptedServer) -> PagesBox:
    given = PagesBox(GraphBox(box))
    given.control("POST", "/reset", {})
    given.control("PATCH", "/settings", {"speed": 20.0})
    given.set_up(web.url)
    return given


def call(pages: PagesBox, path: str = "me/messages", **given: Any) -> Any:
    """A call with the page's token; the answer's JSON."""
    return pages.graph.call("POST", path, PAGE_TOKEN, **given).json()


def send(pages: PagesBox, person: str = PSID, **message: Any) -> Any:
    """Sends a message to a person."""
    more: JSON = message.pop("more", {})
    return call(pages, recipient={"id": person}, messaging_type="RESPONSE", message=message, **more)


def events(web: ScriptedServer, name: str, count: int = 1) -> list[JSON]:
    """The events of this name that came, at least so many."""

    def come() -> list[JSON]:
        entries = [entry for request in web.received for entry in request.json["entry"]]
        slots = [(slot, one) for entry in entries for slot in ("messaging", "standby") for one in entry.get(slot, [])]
        return [one | {"slot": slot} for slot, one in slots if name in one]

    wait_for(lambda: len(come()) >= count, 10, f"{count} of {name}")
    return come()


def code(answered: Any) -> tuple[int, int]:
    error = answered["error"]
    return error["code"], error.get("error_subcode", 0)


def test_a_send_is_echoed_and_delivered(pages: PagesBox, web: ScriptedServer) -> None:
    sent = send(pages, text="hello", metadata="12:0")
    assert sent["recipient_id"] == PSID
    (echo,) = events(web, "message")
    assert echo["message"] == {
        "mid": sent["message_id"],
        "is_echo": True,
        "app_id": int(APP_ID),
        "text": "hello",
        "metadata": "12:0",
    }
    assert (echo["sender"]["id"], echo["recipient"]["id"]) == (PAGE, PSID)
    (delivery,) = events(web, "delivery")
    assert delivery["delivery"]["mids"] == [sent["message_id"]]
    pages.act(PAGE, "read", **{"from": PSID})
    assert events(web, "read")[0]["read"]["watermark"] > 0


def test_instagram_by_its_page(pages: PagesBox, web: ScriptedServer) -> None:
    sent = send(pages, IGSID, text="hello", metadata="12:0")
    (echo,) = events(web, "message")
    assert "metadata" not in echo["message"]
    pages.act(ACCOUNT, "read", **{"from": IGSID})
    assert events(web, "read")[0]["read"] == {"mid": sent["message_id"]}
    assert {request.json["object"] for request in web.received} == {"instagram"}


def test_an_echo_may_come_before_the_answer(pages: PagesBox, web: ScriptedServer) -> None:
    pages.control("PATCH", "/settings", {"echo_first": True})
    send(pages, text="hello")
    assert events(web, "message")[0]["message"]["is_echo"]


def test_what_is_refused(pages: PagesBox) -> None:
    assert code(send(pages, text="a" * 2001)) == (100, 0)
    assert code(send(pages, IGSID, text="가" * 334)) == (100, 0)
    assert "error" not in send(pages, IGSID, text="가" * 333)
    assert code(send(pages, "999", text="hi")) == (100, 2018001)
    pages.person(PAGE, PSID, unreachable="blocked")
    assert code(send(pages, text="hi")) == (551, 1545041)
    pages.person(PAGE, PSID, unreachable="", last_inbound=90_000)
    pages.person(ACCOUNT, IGSID, last_inbound=90_000)
    assert code(send(pages, text="hi")) == (10, 2018278)
    assert code(send(pages, IGSID, text="hi")) == (10, 2534022)
    tag = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    assert code(call(pages, recipient={"id": PSID}, message={"text": "hi"}, **tag)) == (10, 2018278)


def test_rates(pages: PagesBox) -> None:
    pages.control("PATCH", "/settings", {"rates": True})
    url = "https://example.com/a.mp4"
    attachment = {"type": "video", "payload": {"url": url}}
    answers = [send(pages, attachment=attachment) for _ in range(12)]
    assert [code(each)[0] for each in answers if "error" in each][:1] == [613]


def test_another_application_is_in_charge(pages: PagesBox, web: ScriptedServer) -> None:
    pages.act(PAGE, "control", of=PSID)
    told = events(web, "take_thread_control")[0]["take_thread_control"]
    assert told["new_owner_app_id"] == INBOX
    pages.say(PAGE, "anybody?")
    assert events(web, "message")[0]["slot"] == "standby"
    assert code(send(pages, text="hi")) == (100, 2018300)
    assert call(pages, "me/take_thread_control", recipient={"id": PSID}) == {"success": True}
    assert "error" not in send(pages, text="hi")


def test_files_both_ways(pages: PagesBox, web: ScriptedServer) -> None:
    mid = pages.say(PAGE, data=b"picture", mime_type="image/png", file_name="a.png")
    url = events(web, "message")[0]["message"]["attachments"][0]["payload"]["url"]
    assert requests.get(url, timeout=10).content == b"picture"
    pages.control("PATCH", "/settings", {"media_lifetime": 0.0})
    pages.say(PAGE, data=b"late", mime_type="image/png")
    url = events(web, "message", 2)[1]["message"]["attachments"][0]["payload"]["url"]
    assert requests.get(url, timeout=10).status_code == 403
    pages.control("PATCH", "/settings", {"media_lifetime": 60.0})
    shown = pages.graph.call("GET", mid, PAGE_TOKEN, fields="attachments").json()
    assert requests.get(shown["attachments"]["data"][0]["image_data"]["url"], timeout=10).content == b"picture"

    headers = {"Authorization": f"Bearer {PAGE_TOKEN}"}
    form = {"message": '{"attachment": {"type": "audio", "payload": {}}}'}
    files = {"filedata": ("a.ogg", b"voice", "audio/ogg")}
    address = f"{pages.graph.url}/v26.0/me/message_attachments"
    uploaded = requests.post(address, data=form, files=files, headers=headers, timeout=10).json()
    attachment = {"type": "audio", "payload": {"attachment_id": uploaded["attachment_id"]}}
    send(pages, attachment=attachment)
    (sent,) = pages.sent(PAGE)
    assert requests.get(sent["payload"]["attachments"][0]["payload"]["url"], timeout=10).content == b"voice"
    log = pages.graph.log(call="GET cdn")
    assert [entry["has_token"] for entry in log] == [False] * len(log)


def test_what_people_do(pages: PagesBox, web: ScriptedServer) -> None:
    mid = pages.say(PAGE, "hello")
    pages.act(PAGE, "edit", message_id=mid, text="hello there")
    assert events(web, "message_edit")[0]["message_edit"]["num_edit"] == 1
    sent = send(pages, text="hi")["message_id"]
    pages.act(PAGE, "react", message_id=sent, emoji="\U0001f44d")
    pages.act(PAGE, "react", message_id=sent, emoji="")
    assert [one["reaction"]["action"] for one in events(web, "reaction", 2)] == ["react", "unreact"]
    pages.act(PAGE, "press", **{"from": PSID, "title": "More", "payload": "more"})
    assert events(web, "postback")[0]["postback"]["payload"] == "more"
    pages.act(PAGE, "delete", message_id=mid)
    assert any(one["message"].get("is_deleted") for one in events(web, "message", 3))
    pages.act(PAGE, "echo", to=PSID, text="from the inbox")
    echoes = [one["message"] for one in events(web, "message", 4) if one["message"].get("is_echo")]
    assert {str(one["app_id"]) for one in echoes} == {INBOX, APP_ID}
    thread = pages.thread(PAGE)
    assert [(one["text"], one["deleted"]) for one in thread[:1]] == [("", True)]


def test_a_profile_is_refused_as_a_whole(pages: PagesBox) -> None:
    pages.person(ACCOUNT, IGSID, refused=["username"])
    asked = pages.graph.call("GET", IGSID, PAGE_TOKEN, fields="name,username").json()
    assert code(asked)[0] == 10
    assert pages.graph.call("GET", IGSID, PAGE_TOKEN, fields="name").json() == {"id": IGSID, "name": "Sora Example"}
