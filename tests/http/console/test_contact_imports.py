"""Imports in the console: the steps of a file, what is refused at which of them, and the way back."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import Contact, ContactImport, ContactTag, User
from backend.services.contacts import records
from backend.services.contacts.imports import work
from tests.http import callers
from tests.http.console.conftest import Browser
from tests.http.console.test_shell import person_workspace
from tests.support import factories

LIST = "/console/contacts/imports"
PEOPLE = (
    "Vorname,Telefon,E-Mail,Notiz\n"
    "Ada,+44 7700 900123,ada@example.com,x\n"
    "Bob,8.21012E+11,bob@example.com,y\n"
    "Cy,,,z\n"
    "Dee,8.21012E+11,dee@example.com,\n"
)


def rows(model):
    with system_scope("a test"):
        return list(db.session.scalars(select(model)))


def begin(browser: Browser, content: str = PEOPLE, **more) -> str:
    """Uploads a file and has it read; the address of the import."""
    response = browser.post(LIST, {"file": (io.BytesIO(content.encode()), "people.csv"), **more})
    assert response.status_code == 303, response.text
    done()
    return response.headers["Location"]


def done() -> None:
    """Does what is due."""
    db.session.remove()
    work.work_on(Turn(seconds=60))
    db.session.remove()


def main_of(page) -> str:
    assert page.status_code < 500
    return page.text[page.text.index("<main") : page.text.index("</main>")]


@pytest.fixture
def viewer(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="viewer"))


def test_a_file_goes_through_its_steps_and_back(browser):
    assert "No file was imported yet" in browser.get(LIST).text
    address = begin(browser)
    check = main_of(browser.get(address))
    assert "The number lost its digits in Excel" in check
    assert "one more like it" in check
    assert "Neither phone, e-mail nor Telegram name" in check
    assert "Import 3 rows" in check
    assert rows(Contact) == []
    assert browser.post(f"{address}/run").status_code == 303
    assert "Importing" in main_of(browser.get(address))
    done()
    end = main_of(browser.get(address))
    assert "The file is in" in end
    assert "3 new people" in end
    assert len(rows(Contact)) == 3
    assert "people.csv" in browser.get(LIST).text
    (job,) = rows(ContactImport)
    people = browser.get(f"/console/contacts?import_id={job.id}").text
    assert people.count('id="contact-') == 3
    assert browser.post(f"{address}/undo").status_code == 303
    assert "Undoing" in main_of(browser.get(address))
    done()
    assert "Undone" in main_of(browser.get(address))
    assert rows(Contact) == []


def test_the_columns_show_three_rows_and_are_changed(browser, person):
    address = begin(browser)
    columns = main_of(browser.get(f"{address}?columns=1"))
    for words in ("Vorname", "Bob", "8.21012E+11", "Leave out"):
        assert words in columns, words
    given = {"column_0": "last_name", "column_1": "", "column_2": "email", "column_3": "company"}
    response = browser.post(f"{address}/columns", given | {"mode": "both", "tags": "Fair, VIP", "region": "gb"})
    assert response.status_code == 303
    done()
    assert "The number lost its digits" not in main_of(browser.get(address))
    browser.post(f"{address}/run")
    done()
    assert {(one.last_name, one.company) for one in rows(Contact)} == {("Ada", "x"), ("Bob", "y"), ("Dee", None)}
    assert len(rows(ContactTag)) == 6
    (job,) = rows(ContactImport)
    assert (job.region, job.mode, job.overwrite) == ("GB", "both", False)


def test_what_is_refused_keeps_the_choices(browser):
    address = begin(browser)
    twice = browser.post(f"{address}/columns", {"column_0": "company", "column_3": "company", "mode": "both"})
    assert twice.status_code == 422
    assert "Several columns go to the same field" in twice.text
    unknown = browser.post(f"{address}/columns", {"column_0": "shoe_size", "mode": "both"})
    assert unknown.status_code == 422
    region = browser.post(f"{address}/columns", {"column_1": "phone", "region": "ZZ"})
    assert region.status_code == 422
    assert 'id="region-err"' in region.text
    assert 'value="ZZ"' in region.text


def test_without_a_column_that_identifies_somebody_the_page_asks_for_one(browser):
    address = begin(browser, "Colour,Size\nred,1\nblue,2\n")
    page = main_of(browser.get(address))
    assert "No column identifies a person" in page
    assert browser.post(f"{address}/run").status_code == 409


def test_how_the_file_is_read_can_be_changed(browser):
    address = begin(browser, "Name;Phone\nAda;+44 7700 900123\n")
    response = browser.post(f"{address}/reading", {"encoding": "cp949", "delimiter": ",", "header_row": "1"})
    assert response.status_code == 303
    done()
    (job,) = rows(ContactImport)
    assert (job.encoding, job.delimiter, job.header_row) == ("cp949", ",", 1)
    assert browser.post(f"{address}/reading", {"encoding": "found", "delimiter": "found"}).status_code == 303
    done()
    (job,) = rows(ContactImport)
    assert (job.encoding, job.delimiter) == ("utf-8", ";")
    assert browser.post(f"{address}/reading", {"header_row": "many"}).status_code == 422
    assert browser.post(f"{address}/reading", {"encoding": "klingon"}).status_code == 422


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 ...", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1...."])
def test_what_is_no_file_of_contacts_is_refused_at_its_field(browser, content):
    refused = browser.post(LIST, {"file": (io.BytesIO(content), "a.csv")})
    assert refused.status_code == 422
    assert 'id="file-err"' in refused.text
    assert rows(ContactImport) == []


def test_a_form_without_a_file_asks_for_one(browser):
    refused = browser.post(LIST, {})
    assert refused.status_code == 422
    assert 'id="file-err"' in refused.text


def test_a_file_that_cannot_be_read_says_where(browser):
    address = begin(browser, 'Name,Phone\nAda,+44 7700 900123\n"Bob,+44 7700 900124\n' + "x,y\n" * 20_000)
    page = main_of(browser.get(address))
    assert "It did not go through" in page
    assert "A quotation mark is opened and never closed" in page
    assert ">3" in page
    assert browser.post(f"{address}/undo").status_code == 409


def test_the_same_form_sent_twice_makes_one_import_and_another_file_another(browser):
    first = begin(browser, form_id="one")
    assert begin(browser, form_id="one") == first
    assert begin(browser, PEOPLE + "Eve,,eve@example.com,\n", form_id="one") != first
    assert len(rows(ContactImport)) == 2


def test_an_import_is_discarded_before_it_runs(browser):
    address = begin(browser)
    assert browser.post(f"{address}/cancel").status_code == 303
    page = main_of(browser.get(address))
    assert "Nothing was stored." in page
    assert "/undo" not in page
    assert browser.post(f"{address}/cancel").status_code == 409


def test_the_lines_at_fault_are_a_file_without_formulas(browser):
    address = begin(browser, "Name,Phone,Email\n=1+1,=cmd,\n@x,12,+nobody\n")
    file = browser.get(f"{address}/issues")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert "'=cmd" in file.text
    for line in file.text.splitlines()[1:]:
        assert not any(cell.startswith(("=", "@")) for cell in line.split(","))


def test_a_person_who_is_here_is_told_as_a_change(browser, person):
    with workspace_scope(person.workspace_id):
        records.create(factories.by("user:1"), {"first_name": "Ada", "phone": "+44 7700 900123"})
    callers.commit()
    page = main_of(browser.get(begin(browser)))
    assert "Import 3 rows" in page
    assert "nothing is written over" in page


def test_a_viewer_reads_an_import_and_cannot_move_it(browser, viewer):
    address = begin(browser)
    page = main_of(viewer.get(address))
    assert "Import 3 rows" not in page
    assert 'method="post"' not in page
    for path, answer in (("/run", 403), ("/cancel", 403), ("/undo", 403), ("/columns", 403), ("/reading", 403)):
        assert viewer.post(address + path).status_code == answer
    assert viewer.get(f"{LIST}/new").status_code == 403


def test_an_import_of_another_workspace_is_not_there(app, browser):
    address = begin(browser)
    other = Browser(app, callers.member(role="admin"))
    assert other.get(address).status_code == 404
    assert other.get(f"{address}/issues").status_code == 404
    assert other.post(f"{address}/run").status_code == 404
