"""Accounts in a browser: connected with the code that the simulated phone shows, with a password, by a picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WITHIN, Watch, fits
from tests.support.databases import Databases
from tests.support.installation import Installation
from tests.support.telegram_box import TelegramBox

ANN, CYD = "+12025550101", "+12025550103"


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramBox]:
    """A simulated Telegram with Ann, and Cyd, who has a password."""
    with TelegramBox(accounts=True) as box:
        yield box


@pytest.fixture
def environment(environment: dict[str, str], databases: Databases, telegram: TelegramBox) -> dict[str, str]:
    """Persons' accounts are at the simulated Telegram."""
    telegram.reset()
    telegram.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann", "username": "ann_sim"})
    telegram.control("POST", "/accounts", {"phone": CYD, "first_name": "Cyd", "password": "hunter2"})
    return environment | {
        "TELEGRAM_MTPROTO_SERVER": telegram.control("GET", "/mtproto")["server"],
        "TELEGRAM_API_ID": "12345",
        "TELEGRAM_API_HASH": "0" * 32,
    }


@pytest.fixture
def anns_phone(telegram: TelegramBox, chromium: Browser, environment: dict[str, str]) -> Iterator[Page]:
    """Ann's simulated phone."""
    watch, context = Watch(), chromium.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(WITHIN)
    page = context.new_page()
    watch.follow(page)
    page.goto(telegram.url)
    page.get_by_role("radio", name="Ann").click()
    yield page
    context.close()
    assert watch.faults == []


def begin(page: Page, number: str, button: str = "Send the code") -> None:
    """Fills the first form and sends it."""
    page.goto("/console/accounts/connect")
    page.get_by_label("I have read it").check()
    page.locator("#phone").fill(number)
    page.get_by_role("button", name=button).click()


def codes(telegram: TelegramBox, number: str) -> list[str]:
    return [code["code"] for code in telegram.control("GET", f"/accounts/{number}/codes")["codes"]]


@pytest.fixture
def page(site: Installation, open_browser: Callable[..., Page]) -> Page:
    """The admin's browser, beside a process that serves accounts."""
    site.start_worker("sessions", name="sessions")
    site.python(PROCESS_IS_THERE)
    return open_browser()


def test_an_account_is_connected_with_the_code_on_the_phone(
    page: Page, telegram: TelegramBox, anns_phone: Page
) -> None:
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
    page.keyboard.press("n")
    expect(page.get_by_text("Telegram watches unofficial programs")).to_be_visible()
    begin(page, "+1 202 555 0101")
    expect(page.get_by_role("heading", name="The code is in Telegram")).to_be_visible()
    expect(page.locator("#code")).to_be_focused()
    anns_phone.locator("#chats button", has_text="Telegram").click()
    said = anns_phone.locator(".message", has_text=re.compile(r"\d{5}")).last
    expect(said).to_be_visible()
    found = re.search(r"\d{5}", said.text_content() or "")
    assert found is not None
    assert codes(telegram, ANN) == [found.group()]

    page.locator("#code").fill("00000" if found.group() != "00000" else "11111")
    page.keyboard.press("Enter")
    expect(page.locator("#code-err")).to_contain_text("Telegram refused this code")
    page.locator("#code").fill(found.group())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("is connected"))).to_be_visible()
    expect(page.get_by_text("Caught up with Telegram")).to_be_visible()
    page.get_by_role("link", name="To the accounts").click()
    account = page.locator("section[data-row]")
    expect(account).to_contain_text("@ann_sim")
    expect(account).to_contain_text("3 more may go today")
    expect(account.locator(".tag")).to_have_text("Connected")
    assert ANN not in page.content()

    account.get_by_role("link", name="Log out…").click()
    page.get_by_role("button", name="Log out at Telegram").click()
    expect(page.get_by_text("No account yet")).to_be_visible()


def test_a_password_is_asked_for_and_a_wrong_one_said(page: Page, telegram: TelegramBox) -> None:
    begin(page, CYD)
    expect(page.locator("#code")).to_be_visible()
    page.locator("#code").fill(codes(telegram, CYD)[-1])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Now your two-step password")).to_be_visible()
    page.locator("#password").fill("guess")
    page.keyboard.press("Enter")
    expect(page.locator("#password-err")).to_be_visible()
    page.locator("#password").fill("hunter2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("is connected"))).to_be_visible()


def test_a_picture_is_scanned_and_the_page_goes_on_by_itself(
    page: Page, phone: Page, telegram: TelegramBox, site: Installation
) -> None:
    begin(page, "", "Use a QR code instead")
    expect(page.locator(".qr svg")).to_be_visible()
    phone.goto(page.url)
    expect(phone.locator(".qr svg")).to_be_visible()
    assert fits(phone)
    code = """
        from backend.core.database import db, system_scope
        from backend.models import AccountLogin
        with system_scope("a test"):
            print("LINK", db.session.query(AccountLogin).one().qr_url)
    """
    link = re.search(r"LINK (\S+)", site.python(code))
    assert link is not None
    telegram.control("POST", f"/accounts/{ANN}/scan", {"link": link.group(1)})
    expect(page.get_by_role("heading", name=re.compile("is connected"))).to_be_visible()
    expect(phone.get_by_role("heading", name=re.compile("is connected"))).to_be_visible()


def test_everything_fits_a_phone_and_speaks_korean(
    open_browser: Callable[..., Page], phone: Page, site: Installation
) -> None:
    page = open_browser()
    site.python(LIMITED)
    phone.goto("/console/accounts")
    expect(phone.get_by_text("Campaigns rest.")).to_be_visible()
    assert fits(phone)
    title = phone.locator("section[data-row] h2").bounding_box()
    assert title is not None
    assert title["height"] < 60
    phone.goto("/console/accounts/connect")
    assert fits(phone)
    for name in ("senders", "remove"):
        page.goto("/console/accounts")
        expect(page.get_by_text("Campaigns rest.")).to_be_visible()
        href = page.locator(f"a[href$={name}]").first.get_attribute("href")
        phone.goto(href or "")
        assert fits(phone), name
    page.goto("/console/accounts")
    expect(page.get_by_text("Campaigns rest.")).to_be_visible()
    page.get_by_role("button", name="I decided: send again…").click()
    page.get_by_role("button", name="Send again", exact=True).click()
    expect(page.locator(".tag")).to_have_text("Connected")
    expect(page.get_by_text("3 more may go today")).to_be_visible()
    site.python(IN_KOREAN)
    phone.goto("/console/accounts/connect")
    expect(phone.get_by_role("heading", level=1)).to_have_text("계정 연결")
    assert fits(phone)
    phone.goto("/console/accounts")
    expect(phone.locator(".tag")).to_have_text("연결됨")
    expect(phone.get_by_text("오늘 3건 더 보낼 수 있습니다")).to_be_visible()
    assert fits(phone)


PROCESS_IS_THERE = """
    import time
    from backend.core import process_registry
    until = time.monotonic() + 80
    while not any(one.role == "sessions" for one in process_registry.list_processes() or ()):
        assert time.monotonic() < until, "no process serves accounts"
        time.sleep(0.2)
"""
IN_KOREAN = """
    from backend.core.database import db, system_scope
    from backend.models import User
    with system_scope("a test"):
        db.session.query(User).first().locale = "ko"
        db.session.commit()
"""
LIMITED = """
    from datetime import timedelta
    from backend.core import clock
    from backend.core.database import db, system_scope
    from backend.models import User, Workspace
    from backend.services.accounts import health
    from tests.support import accounts
    with system_scope("a test"):
        made = accounts.account(db.session.query(Workspace).first(), db.session.query(User).first())
        health.signal(made.sender_id, "flood_wait", seconds=41, on_lookup=True)
        health.signal(made.sender_id, "peer_flood")
        made.service_notice = "Some people found your messages unwanted. See @SpamBot."
        made.service_notice_at = clock.now()
        made.is_premium, made.username = True, "ann_sim"
        made.strict_until = clock.now() + timedelta(days=3)
        db.session.commit()
"""
