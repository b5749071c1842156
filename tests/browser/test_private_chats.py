"""The simulator's phone shows people's own accounts: codes, private chats, logins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WITHIN, Watch
from tests.simulator.mtproto.clients import Clients
from tests.simulator.wire import png
from tests.support.telegram_box import TelegramBox

ANN, BOB = "+12025550101", "+12025550102"


@pytest.fixture
def box() -> Iterator[TelegramBox]:
    """A simulator with Ann and Bob."""
    with TelegramBox(accounts=True) as box:
        box.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann"})
        box.control("POST", "/accounts", {"phone": BOB, "first_name": "Bob"})
        yield box


@pytest.fixture
def phone(box: TelegramBox, chromium: Browser) -> Iterator[Page]:
    """Bob's phone."""
    watch, context = Watch(), chromium.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(WITHIN)
    page = context.new_page()
    watch.follow(page)
    page.goto(box.url)
    page.get_by_role("radio", name="Bob").click()
    yield page
    context.close()
    assert watch.faults == []


def messages(box: TelegramBox, whose: str, other: str) -> list[tuple[str, bool]]:
    """What stands in a box: the text, and whether the other side has read it."""
    found = box.control("GET", f"/accounts/{whose}/chats/{other}")["messages"]
    return [(message["text"], message["read_at"] > 0) for message in found]


def test_a_message_is_read_answered_and_liked(box: TelegramBox, phone: Page) -> None:
    box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": "Shall we meet?"})
    listed = phone.locator("#chats button", has_text="Ann")
    expect(listed.locator(".unread")).to_have_text("1")
    assert messages(box, ANN, BOB) == [("Shall we meet?", False)]
    listed.click()
    bubble = phone.locator(".message", has_text="Shall we meet?")
    expect(bubble).to_be_visible()
    expect(listed.locator(".unread")).to_have_count(0)
    assert messages(box, ANN, BOB) == [("Shall we meet?", True)]
    bubble.hover()
    bubble.get_by_role("button", name="React with").click()
    expect(bubble.locator(".reactions")).to_have_text("👍")
    phone.get_by_label("Message", exact=True).fill("Gladly")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.locator(".message.own", has_text="Gladly")).to_be_visible()
    assert messages(box, ANN, BOB)[-1][0] == "Gladly"
    box.control("POST", f"/accounts/{ANN}/read", {"chat": BOB})
    expect(phone.locator(".message.own .meta")).to_contain_text("✓✓")


def test_a_message_is_edited_and_deleted_for_both(box: TelegramBox, phone: Page) -> None:
    box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Tommorow"})
    phone.locator("#chats button", has_text="Ann").click()
    bubble = phone.locator(".message.own")
    bubble.hover()
    bubble.get_by_role("button", name="Edit").click()
    phone.get_by_label("Message", exact=True).fill("Tomorrow")
    phone.get_by_label("Message", exact=True).press("Enter")
    expect(phone.locator(".message.own", has_text="Tomorrow")).to_contain_text("edited")
    assert messages(box, ANN, BOB) == [("Tomorrow", False)]
    bubble.hover()
    bubble.get_by_role("button", name="Delete").click()
    phone.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(phone.locator(".message.own")).to_have_count(0)
    assert messages(box, ANN, BOB) == []


def test_a_picture_is_sent_and_a_call_missed(box: TelegramBox, phone: Page) -> None:
    box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": "Show me"})
    phone.locator("#chats button", has_text="Ann").click()
    phone.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png()})
    expect(phone.locator(".message.own img")).to_be_visible()
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("button", name="Call", exact=True).click()
    expect(phone.locator(".message.own", has_text="Missed call")).to_be_visible()
    _, picture, call = box.control("GET", f"/accounts/{ANN}/chats/{BOB}")["messages"]
    assert (len(picture["photo"]), call["call"]) == (1, True)


def test_a_person_is_blocked_and_the_chat_deleted(box: TelegramBox, phone: Page) -> None:
    box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": "Buy this"})
    phone.locator("#chats button", has_text="Ann").click()
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("button", name="Block", exact=True).click()
    expect(phone.locator("#subtitle")).to_have_text("blocked")
    box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": "Buy this too"})
    assert messages(box, BOB, ANN) == [("Buy this", False)]
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("button", name="Delete chat").click()
    dialog = phone.get_by_role("dialog")
    dialog.get_by_role("checkbox").uncheck()
    dialog.get_by_role("button", name="Delete").click()
    expect(phone.locator("#chats button", has_text="Ann")).to_have_count(0)
    assert messages(box, BOB, ANN) == []
    assert [text for text, _ in messages(box, ANN, BOB)] == ["Buy this", "Buy this too"]


def test_a_chat_is_begun_and_telegram_writes(box: TelegramBox, phone: Page) -> None:
    phone.get_by_role("button", name="New chat").click()
    phone.get_by_role("dialog").get_by_role("button", name="Open").click()
    expect(phone.locator("#title")).to_have_text("Ann")
    phone.get_by_label("Message", exact=True).fill("First words")
    phone.get_by_label("Message", exact=True).press("Enter")
    expect(phone.locator(".message.own", has_text="First words")).to_be_visible()
    assert messages(box, ANN, BOB) == [("First words", False)]
    box.control("POST", f"/accounts/{BOB}/service", {"text": "Login code: 12345."})
    phone.locator("#chats button", has_text="Telegram").click()
    expect(phone.locator(".message", has_text="Login code: 12345.")).to_be_visible()
    expect(phone.locator("#composer")).to_be_hidden()


def test_a_login_is_let_in_confirmed_and_ended(box: TelegramBox, phone: Page) -> None:
    box.control("PATCH", f"/accounts/{BOB}", {"unconfirmed_logins": True})
    shown: Queue[str] = Queue()

    async def another_device() -> str:
        async with Clients(box) as clients:
            client = await clients.connected(device_model="Office")
            picture = await client.qr_login()
            waiting = asyncio.create_task(picture.wait(60))
            await asyncio.sleep(0)
            shown.put(picture.url)
            return str((await waiting).first_name)

    with ThreadPoolExecutor() as pool:
        login = pool.submit(asyncio.run, another_device())
        phone.get_by_label("Open a link").fill(shown.get(timeout=60))
        phone.get_by_role("button", name="Open", exact=True).click()
        expect(phone.get_by_role("status")).to_have_text("Logged in on the other device")
        assert login.result(60) == "Bob"
    phone.locator("#chats button", has_text="Telegram").click()
    expect(phone.locator(".message", has_text="New login.")).to_contain_text("Office")
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("button", name="Yes, Office is me").click()
    [known] = box.control("GET", f"/accounts/{BOB}/logins")["logins"]
    assert not known["unconfirmed"]
    phone.get_by_role("button", name="More").click()
    phone.get_by_role("button", name="End Office").click()
    expect(phone.get_by_role("button", name="End Office")).to_be_hidden()
    assert box.control("GET", f"/accounts/{BOB}/logins")["logins"] == []


def test_a_code_by_sms_and_a_person_with_a_phone(box: TelegramBox, phone: Page) -> None:
    phone.get_by_role("button", name="Add a person").click()
    dialog = phone.get_by_role("dialog")
    dialog.get_by_label("First name").fill("Cyd")
    dialog.get_by_label("Phone").fill("+1 202 555 0177")
    dialog.get_by_role("button", name="Add").click()
    expect(phone.get_by_role("radio", name="Cyd")).to_be_checked()
    box.control("PATCH", "/accounts/+12025550177", {"login": "sms"})

    async def ask() -> str:
        async with Clients(box) as clients:
            client = await clients.connected()
            await client.send_code_request("+12025550177")
            return clients.code("+12025550177")

    with ThreadPoolExecutor() as pool:
        code = pool.submit(asyncio.run, ask()).result(60)
    expect(phone.get_by_role("status")).to_have_text(f"SMS: your login code is {code}")
