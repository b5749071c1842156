"""Contacts in a browser: a file goes through its steps and back, a person is added, found and kept out."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits
from tests.support.installation import Installation

PEOPLE = (
    "Vorname,Nachname,Telefon,E-Mail,Notiz\n"
    "Ada,Sample,+44 7700 900123,ada@example.com,met at the fair\n"
    "Bob,Example,8.21012E+11,bob@example.com,\n"
    "Cy,Nobody,,,\n"
)
ADA = {"first_name": "Ada", "last_name": "Sample", "phone": "+44 7700 900123", "tags": ["VIP"]}


def file_of(folder: Path) -> Path:
    """The file of people."""
    path = folder / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def test_a_file_is_imported_and_taken_back(page: Page, site: Installation, tmp_path: Path) -> None:
    site.start_worker("jobs")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Contacts")
    page.get_by_role("link", name="Import a file").first.click()
    page.locator("#file").set_input_files(file_of(tmp_path))
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_role("heading", name="2 cells or rows are left out")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The number lost its digits in Excel")
    page.get_by_role("link", name="Back to the columns").click()
    expect(page.get_by_label("Notiz goes to")).to_have_value("")
    page.get_by_label("Notiz goes to").select_option("company")
    page.locator("#tags").fill("Fair")
    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_role("heading", name="The file is in")).to_be_visible()
    page.get_by_role("link", name="Show these people").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.locator("#contacts")).to_contain_text("met at the fair")
    page.go_back()
    page.get_by_role("button", name="Undo import…").click()
    page.get_by_role("button", name="Undo import", exact=True).click()
    expect(page.get_by_role("heading", name="Undone")).to_be_visible()
    page.goto("/console/contacts")
    expect(page.get_by_text("No contacts yet")).to_be_visible()


def test_a_person_is_added_by_the_keyboard_found_and_suppressed(page: Page, site: Installation) -> None:
    page.goto("/console/contacts")
    page.keyboard.press("n")
    page.locator("#first_name").fill("Ada")
    page.locator("#phone").fill("12")
    page.get_by_role("button", name="Add contact").click()
    expect(page.locator("#phone-err")).to_be_visible()
    expect(page.locator("#first_name")).to_have_value("Ada")
    page.locator("#phone").fill("+44 7700 900123")
    page.locator("#tags").fill("VIP, Fair")
    page.get_by_role("button", name="Add contact").click()
    expect(page.locator("#toasts")).to_contain_text("Ada added.")
    expect(page.locator("#person")).to_contain_text("+44 7700 900123")
    page.locator("#person").get_by_role("link", name="Record").click()
    page.locator("#wording").fill("You may write to me")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#person")).to_contain_text("Given for marketing, Telegram")
    page.locator("#person").get_by_role("button", name="Suppress…").click()
    page.locator("#suppress").get_by_role("button", name="Suppress", exact=True).click()
    expect(page.locator("#person")).to_contain_text("Nothing is written to this person")
    assert site.rows("SELECT count(*) FROM suppressions") == [(1,)]
    page.goto("/console/contacts")
    page.locator("#tag").select_option("Fair")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("link", name="Without the filter Tag").click()
    expect(page).to_have_url(f"{site.url}/console/contacts")


def test_a_contact_that_comes_in_stands_in_the_open_list(page: Page, site: Installation) -> None:
    page.goto("/console/contacts")
    expect(page.locator("#live .live-text")).to_have_text("Live")
    site.api("POST", "/api/contacts", ADA, status=201)
    expect(page.locator("[data-row]")).to_contain_text("Ada Sample")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#person-t")).to_have_text("Ada Sample")


def test_a_number_that_was_just_added_is_taken_back_by_its_toast(page: Page, site: Installation) -> None:
    contact = site.api("POST", "/api/contacts", ADA, status=201)["id"]
    page.goto(f"/console/contacts/{contact}")
    page.get_by_text("Add a way").first.click()
    page.locator("#value").fill("+44 7700 900124")
    page.get_by_role("button", name="Add a way").click()
    expect(page.locator("#person")).to_contain_text("+44 7700 900124")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#person")).not_to_contain_text("+44 7700 900124")
    expect(page.locator("[data-row]")).to_have_count(1)


def test_the_pages_fit_a_phone(phone: Page, site: Installation, tmp_path: Path) -> None:
    site.start_worker("jobs")
    contact = site.api("POST", "/api/contacts", ADA | {"email": f"{'long' * 15}@example.com"}, status=201)["id"]
    site.api("POST", "/api/segments", {"name": "Buyers", "filter": {"tag": ["VIP"]}}, status=201)
    phone.goto("/console/contacts/imports/new")
    phone.locator("#file").set_input_files(file_of(tmp_path))
    phone.get_by_role("button", name="Read the file").click()
    expect(phone.get_by_role("link", name="Back to the columns")).to_be_visible()
    checked = phone.url
    pages = (
        "", "?tag=VIP", "/new", f"/{contact}", f"/{contact}/change", f"/{contact}/consents/new", "/segments", "/tags",
        "/suppressed", "/imports", "/settings",
    )  # fmt: skip
    for address in (checked, f"{checked}?columns=1", *(f"/console/contacts{path}" for path in pages)):
        phone.goto(address)
        assert fits(phone), address
