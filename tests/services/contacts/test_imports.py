"""Imports step by step: what is checked is what is stored, nothing is half or double, an undo puts everything back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.models import (
    Consent,
    Suppression,
)
from backend.services.contacts import custom_fields, records
from backend.services.contacts.imports import administration
from tests.services.contacts.conftest import ACTOR, Imports
from tests.services.contacts.import_files import Contacts, codes, count, number, people, report, snapshot
from tests.support import factories


def test_a_check_stores_nothing_and_says_what_the_run_then_does(imports: Imports, contacts: Contacts) -> None:
    records.create(factories.by(ACTOR), {"first_name": "P1", "phone": number(1)})
    records.create(factories.by(ACTOR), {"first_name": "P2", "email": "p2@example.com", "phone": number(2)})
    db.session.commit()
    before = snapshot()
    content = people(4) + f"P0,,,{number(0)},p0@example.com,\nNobody,,,,,\n,,,,,\n".encode()
    job = imports.begin(content, tags=["New"])
    assert snapshot() == before
    assert count(Suppression) == 0
    assert job.state == "checked"
    expected = {"rows": 6, "create": 2, "update": 2, "same_person": 1, "rejected": 1, "unchanged": 0, "skipped": 0}
    assert {key: report(job)[key] for key in expected} == expected
    done = imports.go_on(job.id)
    assert {key: report(done)[key] for key in expected} == expected
    assert done.state == "done"
    assert [contact["first_name"] for contact in contacts()] == ["P1", "P2", "P0", "P3"]
    assert all({"New", "batch"} <= set(contact["tags"]) for contact in contacts())


def test_a_filled_field_stays_unless_asked(imports: Imports, contacts: Contacts) -> None:
    custom_fields.create(factories.by(ACTOR), "seats", "Seats", "number")
    records.create(
        factories.by(ACTOR),
        {"first_name": "Ada", "phone": number(1), "email": "ada@example.com", "fields": {"seats": 1}},
    )
    db.session.commit()
    content = f"First name,Company,Phone,Email,Seats\nEve,Mills,{number(1)},new@example.com,5\n".encode()
    imports.run(content)
    (ada,) = contacts()
    assert (ada["first_name"], ada["company"], ada["fields"]) == ("Ada", "Mills", {"seats": 1})
    assert ada["email"] == "ada@example.com"
    assert {point["value"] for point in ada["points"]} == {number(1), "ada@example.com", "new@example.com"}
    imports.run(content.replace(b"new@", b"newer@"), overwrite=True)
    (ada,) = contacts()
    assert (ada["first_name"], ada["fields"], ada["email"]) == ("Eve", {"seats": 5}, "newer@example.com")


@pytest.mark.parametrize(
    ("mode", "counts", "names"),
    [
        ("create", {"create": 1, "skipped": 1, "update": 0}, ["Ada", "New"]),
        ("update", {"create": 0, "skipped": 1, "update": 1}, ["Ada"]),
        ("both", {"create": 1, "skipped": 0, "update": 1}, ["Ada", "New"]),
    ],
)
def test_modes(imports: Imports, contacts: Contacts, mode: str, counts: dict[str, int], names: list[str]) -> None:
    records.create(factories.by(ACTOR), {"first_name": "Ada", "phone": number(1)})
    db.session.commit()
    content = f"Name,Company,Phone\nAda,Mills,{number(1)}\nNew,Mills,{number(2)}\n".encode()
    job = imports.begin(content, mode=mode)
    assert {key: report(job)[key] for key in counts} == counts
    done = imports.go_on(job.id)
    assert {key: report(done)[key] for key in counts} == counts
    assert [contact["first_name"] for contact in contacts()] == names
    assert (contacts()[0]["company"] == "Mills") is (mode != "create")


def test_by_what_a_contact_is_recognised_can_be_chosen(imports: Imports, contacts: Contacts) -> None:
    records.create(factories.by(ACTOR), {"first_name": "Ada", "phone": number(1)})
    records.create(factories.by(ACTOR), {"first_name": "Bob", "email": "bob@example.com"})
    db.session.commit()
    content = f"Name,Company,Phone,Email\nX,Mills,{number(1)},bob@example.com\nY,,{number(1)},y@example.com\n".encode()
    by_email = imports.run(content, update_by=["email"])
    assert codes(by_email, "warnings") == ["point_of_other_contact", "point_of_other_contact"]
    assert [(c["first_name"], c["company"], c["phone"]) for c in contacts()] == [
        ("Ada", None, number(1)),
        ("Bob", "Mills", None),
        ("Y", None, None),
    ]
    nothing_own = imports.begin(f"Name,Phone,Email\nZ,{number(1)},\n".encode(), update_by=["email"])
    assert codes(nothing_own) == ["contact_exists"]


def test_a_bad_cell_is_left_out_and_the_rest_of_the_row_is_taken(imports: Imports, contacts: Contacts) -> None:
    custom_fields.create(factories.by(ACTOR), "since", "Since", "date")
    db.session.commit()
    content = (
        "Name,Phone,Email,Since,Time zone\n"
        f"Ada,12,ada@example.com,03/04/2026,Mars\n{'x' * 201},{number(2)},not an address,2026-03-04,Asia/Seoul\n"
    ).encode()
    job = imports.run(content, region="KR")
    assert sorted(codes(job)) == ["bad_date", "bad_value", "email_invalid", "phone_invalid", "too_long"]
    ada, second = contacts()
    assert (ada["email"], ada["fields"], ada["phone"]) == ("ada@example.com", {}, None)
    assert (second["first_name"], second["fields"], second["timezone"]) == (None, {"since": "2026-03-04"}, "Asia/Seoul")


def test_a_file_without_anything_that_identifies_waits_for_a_mapping(imports: Imports, contacts: Contacts) -> None:
    job = imports.begin(f"Alpha;Beta\nAda;{number(1)}\n".encode())
    assert (job.state, job.report) == ("mapping", None)
    assert [column["samples"] for column in job.columns] == [["Ada"], [number(1)]]
    with pytest.raises(Conflict):
        administration.run(factories.by(ACTOR), job.id)
    db.session.rollback()
    with pytest.raises(Invalid):
        administration.change(factories.by(ACTOR), job.id, {"mapping": {"Gamma": "phone"}})
    db.session.rollback()
    administration.change(factories.by(ACTOR), job.id, {"mapping": {"Beta": "phone"}})
    db.session.commit()
    imports.work()
    assert imports.get(job.id).state == "checked"
    administration.change(factories.by(ACTOR), job.id, {"mapping": {"Alpha": "first_name"}})
    db.session.commit()
    imports.work()
    imports.go_on(job.id)
    assert [(contact["first_name"], contact["phone"]) for contact in contacts()] == [("Ada", number(1))]


def test_a_mapping_is_remembered_for_the_same_columns(imports: Imports) -> None:
    content = f"Alpha;Beta\nAda;{number(1)}\n".encode()
    imports.run(content, mapping={"Beta": "phone", "Alpha": "company"})
    again = imports.begin(f"Beta;Alpha\n{number(2)};Mills\n".encode())
    assert (again.state, again.mapping) == ("checked", {"Beta": "phone", "Alpha": "company"})


def test_a_file_without_a_header_is_mapped_by_its_content(imports: Imports, contacts: Contacts) -> None:
    job = imports.begin(f"{number(1)},a@example.com,Ada\n{number(2)},b@example.com,Bob\n".encode())
    assert job.header_row == 0
    assert job.mapping == {"Column 1": "phone", "Column 2": "email", "Column 3": None}
    imports.go_on(job.id)
    assert len(contacts()) == 2


def test_how_a_file_is_read_can_be_chosen(imports: Imports) -> None:
    content = "sep=|\nname|phone\n김가상|010-2000-0001\n".encode("cp949")
    job = imports.begin(content, region="KR")
    assert (job.encoding, job.delimiter, job.header_row) == ("cp949", "|", 2)
    job = imports.begin(content, encoding="cp1252", region="KR")
    assert (job.encoding, job.columns[0]["samples"][0]) != ("cp949", "김가상")
    job = imports.begin(content, header_row=1)
    assert (job.state, job.header_row) == ("mapping", 1)
    failed = imports.begin(b"Name,Phone\n", header_row=40)
    assert (failed.state, failed.error) == ("failed", "import_unreadable")
    with pytest.raises(Invalid):
        administration.change(factories.by(ACTOR), job.id, {"encoding": "rot13"})


def test_footers_are_left_out_and_counted(imports: Imports) -> None:
    content = f"Name,Phone\nAda,{number(1)}\n\nExported by somebody,\nPage 1 of 1,\n".encode()
    job = imports.begin(content)
    assert (report(job)["rows"], report(job)["ignored"], codes(job)) == (1, 2, [])


def test_consents_need_a_date_and_a_source_and_end_after_two_years_in_korea(
    imports: Imports, contacts: Contacts
) -> None:
    content = (
        "Name,Phone,Consent date,Consent source\n"
        f"Ada,{number(1)},2026-03-01,the form of the fair\nBob,{number(2)},2026-03-01,\nEve,{number(3)},,form\n"
        f"Joe,{number(4)},2999-01-01,form\n"
    ).encode()
    done = imports.run(content)
    assert codes(done) == ["bad_date"]
    assert codes(done, "warnings").count("consent_incomplete") == 3
    assert report(done)["consents"] == 1
    ada = contacts()[0]
    assert [(entry["state"], entry["purpose"]) for entry in ada["consents"]] == [("given", "marketing")]
    stored = db.session.scalars(select(Consent)).one()
    assert (stored.source, stored.source_detail) == ("import", "the form of the fair")
    assert stored.expires_at == datetime(2028, 3, 1, tzinfo=UTC)
    imports.run(content)
    assert count(Consent) == 1


def test_do_not_contact_columns_suppress_also_whom_the_mode_passes_over(imports: Imports, contacts: Contacts) -> None:
    records.create(factories.by(ACTOR), {"first_name": "Ada", "phone": number(1), "email": "ada@example.com"})
    db.session.commit()
    content = (
        f"Name,Phone,수신거부\nAda,{number(1)},Y\nBob,{number(2)},2024-05-01\nEve,{number(3)},N\nJoe,{number(4)},\n"
    ).encode()
    done = imports.run(content, mode="update")
    assert (report(done)["suppressed"], report(done)["suppressions"]) == (2, 3)
    assert codes(done, "warnings") == ["unclear_do_not_contact"]
    assert contacts()[0]["suppressed"] is True
    again = imports.begin(f"Name,Phone\nBob,{number(2)}\n".encode())
    assert report(again)["suppressed"] == 1
    # A file never lifts one.
    imports.run(f"Name,Phone,수신거부\nBob,{number(2)},N\n".encode())
    assert contacts()[1]["suppressed"] is True


# --- crashes ---------------------------------------------------------------------------------------------------
