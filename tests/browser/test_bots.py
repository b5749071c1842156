"""Bots and channels in a browser: a bot is added, and what its name means is looked up."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits


def test_a_bot_is_asked_for_in_a_form_that_keeps_what_was_typed(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bots and channels")
    page.get_by_role("link", name="New bot").first.click()
    page.get_by_label("Name").fill("deploy")
    page.get_by_label("Token").fill("not a token")
    page.get_by_role("button", name="Add bot").click()
    expect(page.locator("#token-err")).to_contain_text("look like a bot’s token")
    expect(page.get_by_label("Name")).to_have_value("deploy")


def test_what_a_name_means_is_told_on_the_page(page: Page) -> None:
    page.goto("/console/bots")
    page.locator("#name").fill("nobody")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("#meaning")).not_to_be_empty()
    assert page.url.endswith("/console/bots")


def test_the_pages_fit_a_phone(phone: Page) -> None:
    for address in ("/console/bots", "/console/bots/new"):
        phone.goto(address)
        assert fits(phone)
