"""Channels in a browser: a number is connected, its checks say what is missing, and a press mends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.graph_api import APP_ID, NUMBER_ID, SECRET, TOKEN, WABA_ID, Graph, serving
from tests.support.installation import Installation

TEMPLATE = {
    "id": "1",
    "name": "viewing_reminder",
    "language": "en",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Hello {{1}}, we meet at {{2}}."}],
}


IN_KOREAN = """
    from backend.core.database import db, system_scope
    from backend.models import User
    with system_scope("a test"):
        db.session.query(User).first().locale = "ko"
        db.session.commit()
"""


@pytest.fixture
def graph(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """A Graph API where the account is subscribed once that was asked for."""
    with serving() as api:
        monkeypatch.setitem(environment, "META_GRAPH_URL", api.url)
        subscribed: list[str] = []

        def subscribe(call: Any) -> dict[str, bool]:
            subscribed.append(call.path)
            return {"success": True}

        entry = {"whatsapp_business_api_data": {"id": APP_ID}}
        api.answers[f"POST {WABA_ID}/subscribed_apps"] = subscribe
        api.answers[f"GET {WABA_ID}/subscribed_apps"] = lambda _: {"data": [entry] if subscribed else []}
        api.answers[f"GET {WABA_ID}/message_templates"] = {"data": [TEMPLATE]}
        yield api


@pytest.fixture
def site(graph: Graph, site: Installation) -> Installation:
    """The installation, started after the Graph API."""
    return site


def connect(page: Page) -> None:
    """Connects a WhatsApp number."""
    page.goto("/console/channels/new?platform=whatsapp")
    page.get_by_label("Name", exact=True).fill("Lettings")
    page.get_by_label("Phone number id").fill(NUMBER_ID)
    page.get_by_label("WhatsApp account id").fill(WABA_ID)
    page.get_by_label("Access token").fill(TOKEN)
    page.get_by_label("App secret").fill(SECRET)
    page.get_by_label("App secret").press("Enter")


def test_a_number_is_connected_checked_and_mended_by_keyboard(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", level=1)).to_have_text("Channels")
    page.get_by_role("link", name="WhatsApp number").last.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect a channel")
    connect(page)
    expect(page.locator("#verify-token")).to_have_text(re.compile(r"^[\w-]{32}$"))
    expect(page.get_by_text("/whatsapp/webhook/")).to_be_visible()
    page.get_by_role("button", name="Check now").press("Enter")
    expect(page.locator(".checks")).to_contain_text("Meta sends nothing here")
    expect(page.locator("#verify-token")).to_have_count(0)
    page.locator(".checks").get_by_role("button", name="Subscribe").press("Enter")
    expect(page.locator(".toasts")).to_contain_text("Subscribed. Messages come in.")
    expect(page.locator(".checks")).not_to_contain_text("Meta sends nothing here")
    page.get_by_role("button", name="Read from Meta").press("Enter")
    expect(page.get_by_text("viewing_reminder")).to_be_visible()
    page.goto("/console/channels")
    expect(page.get_by_role("link", name="Lettings")).to_be_visible()
    expect(page.locator(".table")).to_contain_text("Works")


def test_a_mistake_keeps_what_was_typed_but_no_secret(page: Page) -> None:
    page.goto("/console/channels/new?platform=messenger")
    page.get_by_label("Name", exact=True).fill("Page")
    page.get_by_label("Access token").fill(TOKEN)
    page.get_by_label("App secret").fill(SECRET)
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#page_id")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Page")
    expect(page.get_by_label("Access token")).to_have_value("")


def test_removing_asks_first(page: Page) -> None:
    connect(page)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("dialog")).to_contain_text("Conversations stay")
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Nothing connected yet")).to_be_visible()


def test_the_pages_fit_a_phone(phone: Page, site: Installation) -> None:
    connect(phone)
    assert fits(phone)
    phone.get_by_role("button", name="Check now").click()
    expect(phone.locator(".checks")).to_contain_text("Meta sends nothing here")
    channel = phone.url
    addresses = (channel, f"{channel}/change", "/console/channels", "/console/channels/new?platform=instagram")
    for address in addresses:
        phone.goto(address)
        assert fits(phone), address
    site.python(IN_KOREAN)
    for address in addresses:
        phone.goto(address)
        expect(phone.locator("html")).to_have_attribute("lang", "ko")
        assert fits(phone), address
