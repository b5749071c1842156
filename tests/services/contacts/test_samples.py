"""Files as people have them: each imports as a person would want, and says by line what it could not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.models import ContactImport
from tests.services.contacts.conftest import Imports

Contacts = Callable[[], list[dict[str, Any]]]


def codes(job: ContactImport, kind: str = "errors") -> list[tuple[int | None, str | None, str]]:
    assert job.report is not None
    return [(issue["line"], issue["column"], issue["code"]) for issue in job.report[kind]]


def values(contact: dict[str, Any], kind: str) -> list[str]:
    """The values of a contact's points of a kind, the primary one first."""
    return [point["value"] for point in contact["points"] if point["kind"] == kind]


def test_google(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("01-google-2024.csv", region="GB")
    assert codes(job) == []
    # A number of the range for fiction is possible and not valid; it is taken with a warning.
    assert {code for _, _, code in codes(job, "warnings")} == {"phone_possible"}
    imports.go_on(job.id)
    ada, kim, nameless = contacts()
    assert (ada["first_name"], ada["last_name"], ada["company"]) == ("Ada", "Sample", "Example Mills, Ltd")
    assert values(ada, "phone") == ["+447700900123", "+447700900124", "+442079460011"]
    assert values(ada, "email") == ["ada@example.com", "ada.sample@example.org"]
    assert ada["telegram_username"] == "ada_sample_fiction"
    assert ada["tags"] == ["Customers", "Fair 2026"]  # without Google's own groups
    assert (kim["first_name"], kim["last_name"], kim["company"]) == ("순이", "가상", "보기물산")
    assert (nameless["first_name"], nameless["phone"]) == (None, "+447700900125")


def test_google_without_a_region_rejects_national_numbers_by_line(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("01-google-2024.csv")
    assert codes(job) == [
        (2, "Phone 2 - Value", "phone_invalid"),
        (5, "Phone 1 - Value", "phone_invalid"),
        (5, None, "no_point"),
        (6, "Phone 1 - Value", "phone_invalid"),
        (6, None, "no_point"),
    ]
    imports.go_on(job.id)
    (ada,) = contacts()
    assert values(ada, "phone") == ["+447700900123", "+447700900124"]


def test_outlook_in_cp1252(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("03-outlook-cp1252.csv", region="FR")
    assert job.encoding == "cp1252"
    # The second row has its company's number and an address of Exchange: neither is a person's.
    assert codes(job) == [(4, "E-mail Address", "email_invalid"), (4, None, "no_point")]
    assert job.mapping["Business Fax"] is None
    assert job.mapping["Title"] is None
    imports.go_on(job.id)
    (renee,) = contacts()
    assert (renee["first_name"], renee["company"], renee["title"]) == ("Renée", "Société Exemple", "Acheteuse")
    assert values(renee, "phone") == ["+33639980001", "+33199001234"]
    assert renee["tags"] == ["Clients", "VIP"]


def test_naver_in_cp949(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("04-naver-cp949.csv", region="KR")
    assert (job.encoding, codes(job)) == ("cp949", [])
    imports.go_on(job.id)
    first, second, third = contacts()
    assert (first["last_name"], first["first_name"]) == ("가상", "일동")
    assert second["phone"] == "+821020000002"  # whose leading zero a spreadsheet took
    assert values(third, "phone") == ["+821020000003"]  # twice in its row
    assert first["timezone"] == "Asia/Seoul"


def test_apple_vcards_of_all_versions(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("05-apple.vcf", region="KR")
    assert (job.format, codes(job)) == ("vcard", [])
    imports.go_on(job.id)
    mara, kim, marc = contacts()
    assert (mara["first_name"], mara["last_name"], mara["company"]) == ("Mara", "Erfunden", "Erfunden AG")
    assert (mara["title"], mara["telegram_username"]) == ("Leiterin Einkauf", "mara_erfunden")
    assert mara["tags"] == ["Kunden", "Messe"]
    assert (kim["last_name"], kim["first_name"], kim["phone"]) == ("가상", "일동", "+821020000001")
    assert (marc["first_name"], marc["phone"], marc["telegram_username"]) == (
        "Marc Inventé",
        "+33639980002",
        "marc_invente",
    )


def test_hubspot_knows_the_same_person_again(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("06-hubspot.csv", region="US")
    assert job.report is not None
    assert (job.report["create"], job.report["same_person"], job.report["rejected"]) == (1, 1, 1)
    assert codes(job) == [(3, None, "no_point")]
    imports.go_on(job.id)
    (emma,) = contacts()
    assert (values(emma, "email"), values(emma, "phone")) == (["emma@example.com"], ["+12125550143"])
    assert emma["source"] == "ORGANIC_SEARCH"


def test_pipedrive_brings_suppressions(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("08-pipedrive.csv", region="DE")
    assert job.report is not None
    assert (codes(job), job.report["suppressed"]) == ([], 1)
    imports.go_on(job.id)
    nils, solo = contacts()
    assert values(nils, "phone") == ["+493023125013", "+493023125014", "+491713920004"]
    assert values(nils, "email") == ["nils@example.com", "nils.a@example.com"]
    assert nils["tags"] == ["Hot", "Warm lead"]
    assert (nils["suppressed"], solo["suppressed"]) == (False, True)
    assert solo["phone"] == "+491713920005"  # written 0049…


def test_apollo(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("09-apollo.csv")
    assert codes(job) == []
    imports.go_on(job.id)
    layla, mia = contacts()
    assert (layla["company"], layla["title"]) == ("Gulf Example, LLC", "CFO")
    assert values(layla, "phone") == ["+971500000001", "+12125550147"]  # the mobile first, the corporate one not at all
    assert (mia["phone"], mia["email"]) == (None, "mia@example.com")


def test_linkedin_finds_the_header_below_notes_and_says_that_nobody_is_on_telegram(
    imports: Imports, contacts: Contacts
) -> None:
    job = imports.sample("10-linkedin-connections.csv")
    assert job.header_row == 4
    assert codes(job) == [(5, None, "no_point"), (7, None, "no_point")]
    assert codes(job, "warnings")[0] == (None, None, "nothing_for_telegram")
    imports.go_on(job.id)
    (neha,) = contacts()
    assert (neha["first_name"], neha["last_name"]) == ("Neha 🌟", "Made-Up, MBA")
    assert neha["title"] == 'Senior Engineer "Platform"'


def test_thunderbird_with_semicolons(imports: Imports, contacts: Contacts) -> None:
    job = imports.sample("13-thunderbird-semicolon.csv")
    assert (job.delimiter, codes(job)) == (";", [])
    imports.go_on(job.id)
    assert [contact["email"] for contact in contacts()] == ["john@doe.invalid", "jane@doe.invalid"]


@pytest.mark.parametrize(
    "name",
    ["01-google-2024.csv", "04-naver-cp949.csv", "06-hubspot.csv", "08-pipedrive.csv", "13-thunderbird-semicolon.csv"],
)
def test_a_sample_that_is_imported_again_changes_nothing(imports: Imports, contacts: Contacts, name: str) -> None:
    first = imports.go_on(imports.sample(name, region="KR").id)
    before = contacts()
    job = imports.sample(name, region="KR")
    assert job.report is not None
    assert first.report is not None
    assert (job.report["create"], job.report["update"]) == (0, 0)
    imports.go_on(job.id)
    assert contacts() == before
