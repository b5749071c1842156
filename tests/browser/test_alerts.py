"""Alerts in a browser: one comes in, somebody takes it by the keyboard, and everybody sees who."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.installation import Installation

DISK = {
    "title": "Disk of db-1 is 84 % full",
    "message": "Grows 1.1 % a day; full in about <b>14 days</b>.",
    "severity": "critical",
    "labels": {"service": "postgres", "host": "db-1"},
}


def raised(site: Installation, **fields: Any) -> int:
    """An alert comes in by the API."""
    alert_id: int = site.api("POST", "/api/alerts", DISK | fields, status=202)["alert_id"]
    return alert_id


def test_an_alert_is_taken_by_the_keyboard_and_the_page_says_by_whom(site: Installation, page: Page) -> None:
    page.goto("/console/alerts")
    expect(page.locator("#live .live-text")).to_have_text("Live")
    alert_id = raised(site)
    row = page.locator(f"#alert-{alert_id}")
    expect(row).to_contain_text("Firing")
    page.keyboard.press("j")
    expect(row).to_have_attribute("data-cursor", "")
    page.keyboard.press("e")
    expect(page.locator("#toasts")).to_contain_text("Acknowledged. Its messages say so.")
    expect(row).to_contain_text("Acknowledged by Ada")
    assert site.rows("SELECT state, by_name FROM alerts WHERE id = %s", alert_id) == [("acknowledged", "Ada")]
    expect(row).to_have_attribute("data-cursor", "")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("Nobody yet")
    page.keyboard.press("h")
    expect(row).to_contain_text("Snoozed by Ada")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/console/alerts/{alert_id}$"))
    drawer = page.locator("#alert")
    expect(drawer).to_contain_text("What happened")
    expect(drawer).to_contain_text("Ada, by console")


def test_a_silence_is_previewed_before_it_is_made(site: Installation, page: Page) -> None:
    raised(site)
    raised(site, title="Another", labels={"host": "db-2"})
    page.goto("/console/alerts")
    page.keyboard.press("j")
    page.keyboard.press("s")
    dialog = page.locator("#silence")
    expect(dialog).to_contain_text("One alert would be silent now")
    dialog.get_by_label("Value 1", exact=True).fill("nothing")
    expect(dialog).to_contain_text("0 alerts would be silent now")
    dialog.get_by_role("button", name="Silence", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Silenced until")
    expect(page.locator("main")).to_contain_text("nothing")


def test_alerts_fit_a_phone(site: Installation, phone: Page) -> None:
    alert_id = raised(site)
    for path in ("", f"/{alert_id}", "/silences/new", "/silences", "/policies/new", "/setup"):
        phone.goto(f"/console/alerts{path}")
        assert fits(phone), path
    phone.goto(f"/console/alerts/{alert_id}")
    expect(phone.locator("#alert")).to_be_visible()
    phone.locator("#alert").get_by_role("button", name="Acknowledge").click()
    expect(phone.locator("#alert")).to_contain_text("Acknowledged by Ada")


def test_the_chosen_tab_is_in_view_on_a_phone(site: Installation, phone: Page) -> None:
    phone.goto("/console/alerts/setup")
    expect(phone.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)
