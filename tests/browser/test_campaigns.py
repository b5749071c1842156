"""Campaigns in a browser: one is made, checked, launched and paused; and its pages fit a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.installation import Installation

ACCOUNT = """
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import User, Workspace
from tests.support import accounts
with system_scope("a test"):
    home = db.session.query(Workspace).one()
    accounts.account(home, db.session.query(User).first(), caught_up_at=clock.now())
    db.session.commit()
"""
ADA = {"first_name": "Ada", "last_name": "Sample", "phone": "+44 7700 900123", "tags": ["VIP"]}
NAMELESS = {"company": "Sample Ltd", "phone": "+44 7700 900124", "tags": ["VIP"]}
BASIS = {"basis": "contract", "note": "They ordered from us this year."}


def seed(site: Installation) -> None:
    """An account, and two people with a tag."""
    site.python(ACCOUNT)
    for person in (ADA, NAMELESS):
        site.api("POST", "/api/contacts", person, status=201)


def test_a_campaign_is_made_checked_launched_and_paused(page: Page, site: Installation) -> None:
    seed(site)
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", level=1)).to_have_text("Campaigns")
    page.keyboard.press("n")
    page.locator("#name").fill("Spring offer")
    page.get_by_label("VIP").check()
    page.locator("#text_1").fill("Hello {first_name")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("#text_1-err")).to_be_visible()
    expect(page.get_by_label("VIP")).to_be_checked()
    page.locator("#text_1").fill("Hello {first_name}")
    page.get_by_text("Follow-up 1").click()
    page.locator("#delay_2").fill("3")
    page.locator("#text_2").fill("Shall I call?")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("#toasts")).to_contain_text("The draft is saved.")
    expect(page.locator("main")).to_contain_text("One value is missing and has no default: {first_name}")
    page.get_by_role("button", name="Check and launch").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Check before the launch")
    expect(page.locator("main")).to_contain_text("This person has given no consent.")
    page.get_by_label("A contract").check()
    page.locator("#note").fill(BASIS["note"])
    page.get_by_role("button", name="Keep this and check again").click()
    expect(page.locator("#groups")).to_have_text("1 of 2 people will be written to")
    expect(page.locator("main")).to_contain_text("{first_name} is missing for one person")
    page.get_by_role("button", name="Launch to one person").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")
    expect(page.locator("#campaign [data-row]")).to_have_count(2)
    page.locator("#state").select_option("skipped")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#campaign [data-row]")).to_contain_text("A value that the text needs is missing.")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Paused")
    expect(page.locator("#campaign")).to_contain_text("Somebody paused it")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("One person still waits for a message")
    page.get_by_role("button", name="Cancel the campaign").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Canceled")
    assert site.rows("SELECT state FROM campaigns") == [("canceled",)]


def test_what_somebody_else_does_stands_in_the_open_page(page: Page, site: Installation) -> None:
    seed(site)
    given = {"name": "Spring", "audience": {"tags": ["VIP"]}, "lawful_basis": BASIS, "steps": [{"template": "Hello"}]}
    campaign_id = site.api("POST", "/api/campaigns", given, status=201)["id"]
    address = f"/api/campaigns/{campaign_id}"
    preflight_id = site.api("POST", f"{address}/preflight", status=200)["id"]
    site.api("POST", f"{address}/launch", {"preflight_id": preflight_id}, status=200)
    page.goto(f"/console/campaigns/{campaign_id}")
    expect(page.locator("#live .live-text")).to_have_text("Live")
    site.api("POST", f"{address}/pause", status=200)
    expect(page.locator("#campaign")).to_contain_text("Somebody paused it")


def test_the_pages_fit_a_phone(phone: Page, site: Installation) -> None:
    seed(site)
    given = {"name": "long" * 30, "audience": {"tags": ["VIP"]}, "steps": [{"template": "Hello " + "long" * 40}]}
    campaign_id = site.api("POST", "/api/campaigns", given | {"lawful_basis": BASIS}, status=201)["id"]
    address = f"/api/campaigns/{campaign_id}"
    preflight_id = site.api("POST", f"{address}/preflight", status=200)["id"]
    pages = ("", "/new", f"/{campaign_id}", f"/{campaign_id}/change", f"/{campaign_id}/check/{preflight_id}")
    for path in pages:
        phone.goto(f"/console/campaigns{path}")
        assert fits(phone), path
    site.api("POST", f"{address}/launch", {"preflight_id": preflight_id}, status=200)
    phone.goto(f"/console/campaigns/{campaign_id}")
    assert fits(phone)
