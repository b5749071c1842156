"""My Telegram in a browser: linked by the deep link, tried, and unlinked again."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.installation import Installation


def test_somebody_links_their_telegram_and_the_page_changes_by_itself(site: Installation, page: Page) -> None:
    site.start_worker("dispatch", "jobs")
    site.register_webhook()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", level=1)).to_contain_text("My Telegram")
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator(".qr svg")).to_be_visible()
    expect(page.locator("#check-bot_reachable")).to_be_visible()
    address = page.get_by_role("link", name="Open Telegram").get_attribute("href")
    assert address is not None
    site.box.open_link(site.box.person("Sam"), address)
    expect(page.get_by_role("heading", name="Your link")).to_be_visible()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".toast")).to_contain_text("Test message queued")
    page.get_by_role("button", name="Unlink…").click()
    page.get_by_role("dialog").get_by_role("button", name="Unlink", exact=True).click()
    expect(page.get_by_role("button", name="Make a link")).to_be_visible()


def test_settings_are_saved_on_a_phone(site: Installation, phone: Page) -> None:
    phone.goto("/console/telegram")
    expect(phone.locator("#check-bot_reachable")).to_be_visible()
    assert fits(phone)
    phone.get_by_label("Time zone").fill("Mars/Phobos")
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator("#timezone-err")).to_be_visible()
    assert fits(phone)
    phone.get_by_label("Time zone").fill("Asia/Seoul")
    phone.get_by_label("Post published").uncheck()
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator(".toast")).to_contain_text("Settings saved")
    expect(phone.get_by_label("Post published")).not_to_be_checked()
    kept = site.api("GET", "/api/notifications/settings", status=200)
    assert kept["timezone"] == "Asia/Seoul"
    assert kept["types"]["post_success"] is False
    phone.get_by_role("button", name="Make a link").click()
    expect(phone.locator(".qr svg")).to_be_visible()
    assert fits(phone)
