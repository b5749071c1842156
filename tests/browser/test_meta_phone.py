"""The simulator's phones of people who write to a WhatsApp number, a page and an Instagram account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WITHIN, Watch
from tests.simulator.wire import png
from tests.support.graph_box import GraphBox
from tests.support.pages_box import ACCOUNT, PAGE, PAGE_TOKEN, PSID, PagesBox
from tests.support.telegram_box import TelegramBox

NUMBER, WABA, PERSON = "300000000000009", "200000000000009", "821000000009"


@pytest.fixture(scope="module")
def box() -> Iterator[TelegramBox]:
    with TelegramBox() as started:
        yield started


@pytest.fixture
def pages(box: TelegramBox) -> PagesBox:
    """A page, an account and a number, each with a person."""
    graph = GraphBox(box)
    given = PagesBox(graph)
    given.control("POST", "/reset", {})
    given.control("PATCH", "/settings", {"speed": 20.0})
    given.set_up("http://127.0.0.1:9")
    graph.number(NUMBER, WABA)
    graph.person(NUMBER, name="Yuna Example", number=PERSON, last_inbound=10)
    return given


@pytest.fixture(params=[(1100, 800), (360, 740)], ids=["wide", "narrow"])
def phone(pages: PagesBox, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = request.param
    watch, context = Watch(), chromium.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(WITHIN)
    page = context.new_page()
    watch.follow(page)
    page.goto(f"{pages.graph.box.url}/meta")
    yield page
    context.close()
    assert watch.faults == []


def choose(phone: Page, name: str) -> None:
    phone.locator("#chats button", has_text=name).click()
    expect(phone.locator("#title")).to_have_text(name)


def say(phone: Page, text: str) -> None:
    phone.get_by_label("Message", exact=True).fill(text)
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.locator(".message.own", has_text=text)).to_be_visible()


def act(phone: Page, item: str) -> None:
    phone.get_by_role("button", name="More").click()
    phone.locator("#menu button", has_text=item).click()


def test_a_person_writes_to_a_page_and_reads_its_answer(pages: PagesBox, phone: Page) -> None:
    choose(phone, "Mina Example")
    say(phone, "Is it still there?")
    assert pages.thread(PAGE)[-1]["text"] == "Is it still there?"
    message = {"text": "Which size?", "quick_replies": [{"content_type": "text", "title": "42", "payload": "s42"}]}
    pages.graph.call("POST", "me/messages", PAGE_TOKEN, recipient={"id": PSID}, message=message)
    answer = phone.locator(".message", has_text="Which size?")
    expect(answer.locator(".meta")).to_contain_text("read")
    answer.locator(".bubble").hover()
    answer.get_by_role("button", name="React with").click()
    expect(answer.locator(".reactions")).to_have_text("👍")
    answer.get_by_role("button", name="42", exact=True).click()
    expect(phone.locator(".message.own", has_text="42")).to_be_visible()
    assert pages.thread(PAGE)[-1]["text"] == "42"


def test_every_kind_can_be_sent(pages: PagesBox, phone: Page) -> None:
    for name, node in (("Mina Example", PAGE), ("Sora Example", ACCOUNT), ("Yuna Example", NUMBER)):
        choose(phone, name)
        say(phone, f"to {node}")
        for file in (("a.png", "image/png", png(8, 8)), ("note.ogg", "audio/ogg", b"OggS-voice")):
            phone.locator("#file").set_input_files({"name": file[0], "mimeType": file[1], "buffer": file[2]})
        expect(phone.locator(".message.own")).to_have_count(3)
        act(phone, "Share a location")
        act(phone, "Send something that cannot be shown")
        expect(phone.locator(".message.own")).to_have_count(5)
        own = phone.locator(".message.own", has_text=f"to {node}")
        own.locator(".bubble").hover()
        own.get_by_role("button", name="Delete").click()
        expect(phone.locator(".message.own", has_text="taken back")).to_be_visible()
        if phone.get_by_role("button", name="Back to the chats").is_visible():
            phone.get_by_role("button", name="Back to the chats").click()


def test_the_pages_inbox_takes_over_and_a_person_blocks(pages: PagesBox, phone: Page) -> None:
    choose(phone, "Mina Example")
    act(phone, "The page's inbox takes over")
    expect(phone.locator("#subtitle")).to_contain_text("is in charge")
    act(phone, "The inbox hands back")
    expect(phone.locator("#subtitle")).not_to_contain_text("is in charge")
    act(phone, "Block")
    expect(phone.locator("#subtitle")).to_contain_text("blocked")
