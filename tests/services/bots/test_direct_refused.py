"""Said straight to a Telegram that refuses as Telegram does: whatever is refused, the words arrive."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from backend.channels.base import Button, Content, Media
from backend.channels.telegram_bot import BotClient, TelegramBot
from backend.services.bots import send_without_db
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

JSON = dict[str, Any]
ACK = Button("Acknowledge", data="alert:ack:1")
LINKS = [f'<a href="https://graphs.example.com/{"q" * 430}{n}">alert {n}</a>' for n in range(20)]


@pytest.fixture(scope="module")
def box() -> Iterator[TelegramBox]:
    with TelegramBox(bots=[f"{DEMO_TOKEN}:switchboard_demo_bot"]) as running:
        yield running


@pytest.fixture
def group(box: TelegramBox) -> JSON:
    mina = box.person("Mina")
    box.start(mina)
    return box.group(creator=mina, bots=[box.call("getMe")["result"]])


def said(box: TelegramBox, chat: JSON, content: Content) -> tuple[list[JSON], int]:
    """The messages that arrived, and how many requests were refused on the way."""
    since = box.log_position()
    channel = TelegramBot(BotClient(box.url))
    outcome = send_without_db.send(
        channel, DEMO_TOKEN, str(chat["id"]), content, thread_id=None, patience=0, rest=lambda seconds: None
    )
    assert outcome.error is None, outcome.error
    arrived = [one for one in box.transcript(chat) if str(one["message_id"]) in outcome.message_ids]
    assert len(arrived) == len(outcome.message_ids)
    return arrived, len([one for one in box.log(since) if one["outcome"] != "accepted"])


def words(messages: list[JSON]) -> str:
    return "\n".join(one.get("text") or one.get("caption", "") for one in messages)


def photo(data: bytes = b"no picture at all") -> Media:
    return Media("photo", opener=lambda: io.BytesIO(data), filename="p.png", mime="image/png")


def test_twenty_long_links_are_two_messages_and_no_refusal(box: TelegramBox, group: JSON) -> None:
    arrived, refused = said(box, group, Content("\n\n".join(LINKS), "html"))
    assert refused == 0
    assert [f"alert {n}" in words(arrived) for n in range(20)] == [True] * 20
    addresses = {entity["url"] for one in arrived for entity in one["entities"] if entity["type"] == "text_link"}
    assert len(addresses) == 20
    assert len(arrived) == 2


def test_a_long_keyboard_keeps_what_fits_and_the_rest_is_links(box: TelegramBox, group: JSON) -> None:
    urls = [f"https://wiki.example.com/{'p' * 1950}{n}" for n in range(8)]
    rows = tuple((Button(f"Runbook {n}", url=url),) for n, url in enumerate(urls))
    arrived, refused = said(box, group, Content("Disk full", "html", (*rows, (ACK,))))
    assert refused == 0
    buttons = [button for row in arrived[-1]["reply_markup"]["inline_keyboard"] for button in row]
    linked = [entity.get("url") for one in arrived for entity in one.get("entities", [])]
    kept = [button["url"] for button in buttons if "url" in button]
    assert sorted(kept + [url for url in linked if url in urls]) == urls
    assert buttons[-1]["text"] == "Acknowledge"


@pytest.mark.parametrize("url", ["http://vm-1:9999/", "http://localhost:9093/", "http://4f1c7a9be2d0:9093/#/alerts"])
def test_an_address_without_a_dot_takes_neither_words_nor_other_buttons(
    box: TelegramBox, group: JSON, url: str
) -> None:
    good = Button("Graph", url="https://graphs.example.com/")
    arrived, refused = said(box, group, Content("Disk full", "plain", ((Button("Source", url=url), good), (ACK,))))
    assert refused == 0
    assert words(arrived) == f"Disk full\n\nSource: {url}"
    assert len([button for row in arrived[0]["reply_markup"]["inline_keyboard"] for button in row]) == 2


def test_a_picture_that_is_none_goes_as_a_document(box: TelegramBox, group: JSON) -> None:
    arrived, refused = said(box, group, Content("Disk full", media=(photo(),)))
    assert (refused, words(arrived)) == (1, "Disk full")
    assert "document" in arrived[0]


def test_where_pictures_are_forbidden_their_words_arrive(box: TelegramBox, group: JSON) -> None:
    box.member(group, box.call("getMe")["result"], "member", forbidden=["photo", "document"])
    text = "Disk full " + "x" * 1500
    for content in (Content("Disk full", "plain", ((ACK,),), (photo(),)), Content(text, media=(photo(), photo()))):
        arrived, refused = said(box, group, content)
        assert words(arrived).startswith("Disk full")
        assert not any("photo" in one or "document" in one for one in arrived)
        assert refused <= 2


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN",
        "Bad Request: wrong type of the web page content",
        "Bad Request: SOMETHING_NEW_ABOUT_MEDIA",
    ],
)
def test_whatever_else_is_said_against_a_picture(box: TelegramBox, group: JSON, description: str) -> None:
    for method in ("sendPhoto", "sendDocument"):
        box.fault("error", method=method, error_code=400, description=description)
    try:
        arrived, _ = said(box, group, Content("<b>Disk</b> full", "html", ((ACK,),), (photo(),)))
    finally:
        box.clear_faults()
    assert words(arrived) == "Disk full"


def test_a_telegram_that_takes_no_formatting_gets_plain_words(box: TelegramBox, group: JSON) -> None:
    box.fault(
        "error", method="sendMessage", count=1, error_code=400, description="Bad Request: can't parse entities: x"
    )
    arrived, refused = said(box, group, Content("<b>Disk</b> full", "html"))
    assert (words(arrived), refused) == ("Disk full", 1)
    assert "entities" not in arrived[0]
