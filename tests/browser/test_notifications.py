"""Notifications in a browser: the log follows what happens, an event's trace, and a type with its preview."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.installation import Installation

EVENT = {"type": "post_success", "data": {"platform": "instagram", "content": "Hello"}, "subject": "post:17"}


def test_a_reported_event_appears_by_itself_and_opens_beside_the_log(site: Installation, page: Page) -> None:
    page.goto("/console/notifications")
    expect(page.locator("#live .live-text")).to_have_text("Live")
    site.api("POST", "/api/events", EVENT, status=202)
    row = page.locator("#log tr[data-row]")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("No linked Telegram.")
    row.get_by_role("link").click()
    expect(page.locator("#detail")).to_be_visible()
    expect(page.locator("#trace")).to_contain_text("post:17")
    page.locator("#detail").get_by_role("link", name="Close").click()
    expect(page.locator("#detail")).to_have_count(0)
    page.get_by_label("Decision").select_option("queued")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No event fits these filters")).to_be_visible()
    assert page.url.endswith("decision=queued") or "decision=queued" in page.url


def test_an_event_opens_over_the_log_on_a_phone(site: Installation, phone: Page) -> None:
    made = site.api("POST", "/api/events", EVENT, status=202)["event_id"]
    phone.goto("/console/notifications")
    assert fits(phone)
    phone.get_by_role("row").get_by_role("link").click()
    phone.wait_for_url(f"**/console/notifications/{made}")
    expect(phone.locator("#trace")).to_be_visible()
    assert fits(phone)


def test_a_type_is_written_with_its_preview_saved_and_deleted(site: Installation, page: Page) -> None:
    page.goto("/console/notifications/types")
    page.get_by_role("link", name="New type").first.click()
    page.get_by_label("Name").fill("order_shipped")
    page.get_by_label("Title").fill("Order shipped")
    page.get_by_label("Text, English").fill("Order {order.id} is on its way")
    expect(page.locator("#preview")).to_contain_text("Order 20418 is on its way")
    page.get_by_label("Text, English").fill("Order {order.id")
    expect(page.locator("#preview")).to_contain_text("line 1")
    page.get_by_label("Text, English").fill("Order {order.id} is on its way")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("created")
    assert fits(page)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete type").click()
    expect(page.locator(".toast")).to_contain_text("deleted")
    assert site.api("GET", "/api/notification-types", status=200)["notification_types"] == []
