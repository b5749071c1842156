"""The shell in a browser: the sign-in, the palette, the live line, and a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits


def test_the_palette_opens_by_the_keyboard_and_leads_to_a_page(page: Page) -> None:
    page.keyboard.press("Control+k")
    palette = page.get_by_role("combobox")
    expect(palette).to_be_focused()
    palette.fill("over")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_side_bar_says_that_the_page_is_live(page: Page) -> None:
    expect(page.locator("#live .live-text")).to_have_text("Live")


def test_the_overview_fits_a_phone_in_both_languages(phone: Page) -> None:
    assert fits(phone)
    phone.get_by_role("button", name="Your account").click()
    phone.get_by_role("button", name="한국어").click()
    expect(phone.locator("html")).to_have_attribute("lang", "ko")
    assert fits(phone)


def test_what_has_happened_never_lies_ahead(page: Page) -> None:
    ahead = page.evaluate(
        """() => {
            const time = document.createElement("time");
            time.dateTime = new Date(Date.now() + 20000).toISOString();
            time.dataset.ago = "";
            document.querySelector("main").append(time);
            document.dispatchEvent(new CustomEvent("htmx:afterSwap", { detail: { target: document.body } }));
            return time.textContent;
        }"""
    )
    assert ahead == "1 sec ago"
