"""Webhooks and keys in a browser: an endpoint with its secret, a test in the log, a token that is shown once."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits


def add(page: Page) -> None:
    """Adds an endpoint that hears everything."""
    page.goto("/console/webhooks/new")
    page.get_by_label("Name", exact=True).fill("crm")
    page.get_by_label("Address").fill("https://93.184.216.34/hooks")
    page.get_by_label("Every event").check()
    page.get_by_role("button", name="Add endpoint").press("Enter")
    expect(page.locator("#shown-once")).to_be_visible()


def test_an_endpoint_is_added_and_tested_by_keyboard(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks and keys")
    page.get_by_role("link", name="Add endpoint").first.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add endpoint")
    add(page)
    page.get_by_role("button", name="Send a test").press("Enter")
    expect(page.locator("#shown-once")).to_have_count(0)
    page.get_by_role("link", name="webhook.test").press("Enter")
    expect(page.locator(".snippet")).to_contain_text('"type": "webhook.test"')
    page.get_by_role("button", name="Deliver again").press("Enter")
    expect(page.locator(".toasts")).to_contain_text("with the same id")


def test_a_token_is_shown_once_and_revoked(page: Page) -> None:
    page.goto("/console/webhooks/tokens/new")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_role("checkbox", name="read").first.check()
    page.get_by_role("button", name="Make token").click()
    expect(page.locator("#shown-once")).to_have_text(re.compile(r"\S{30,}"))
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="No tokens")).to_be_visible()


def test_the_pages_fit_a_phone(phone: Page) -> None:
    add(phone)
    assert fits(phone)
    for address in ("/console/webhooks", "/console/webhooks/new", "/console/webhooks/tokens/new"):
        phone.goto(address)
        assert fits(phone), address
