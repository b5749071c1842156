"""Imports that are killed, canceled, undone or repeated: nothing is half or double, an undo puts everything back."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, failpoints
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.core.work import Turn
from backend.models import (
    Contact,
    ContactImportChange,
    ContactPoint,
    LiveEvent,
    Suppression,
    Tag,
)
from backend.services import files
from backend.services.auth.attribution import COMMAND_LINE
from backend.services.contacts import custom_fields, records, suppressions, tags
from backend.services.contacts.imports import administration, claims, reading, work
from tests.services.contacts.conftest import ACTOR, Imports
from tests.services.contacts.import_files import Contacts, count, number, people, report, snapshot
from tests.support import factories


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 10)


def die_at(monkeypatch: pytest.MonkeyPatch, name: str, after: int) -> None:
    """Ends the process at a failpoint, on its nth hit."""
    hits = 0

    def hit(point: str) -> None:
        nonlocal hits
        hits += point == name
        if hits == after and point == name:
            raise Killed

    monkeypatch.setattr(failpoints, "hit", hit)


@pytest.mark.parametrize("name", ["contacts.batch_not_committed", "contacts.batch_committed"])
@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_killed_run_goes_on_without_half_or_double_rows(
    imports: Imports, small_batches: None, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    content = people(45) + f"P3,,,{number(3)},other@example.com,\n".encode()
    job = imports.begin(content)
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    with monkeypatch.context() as patched:
        die_at(patched, name, after)
        with pytest.raises(Killed):
            imports.work()
        db.session.rollback()
    committed = (after - 1 if name.endswith("not_committed") else after) * 10
    assert count(Contact) == min(committed, 45)
    imports.work()  # the claim is not over yet
    assert count(Contact) == min(committed, 45)
    clock.move(61)
    imports.work()
    done = imports.get(job.id)
    assert (done.state, count(Contact), count(ContactPoint)) == ("done", 45, 91)
    assert {key: report(done)[key] for key in ("rows", "create", "same_person")} == {
        "rows": 46,
        "create": 45,
        "same_person": 1,
    }


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_undo_goes_on(
    imports: Imports, contacts: Contacts, small_batches: None, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    records.create(factories.by(ACTOR), {"first_name": "Old", "phone": number(7)})
    db.session.commit()
    before = snapshot()
    monkeypatch.setattr("backend.services.contacts.imports.undo.BATCH", 10)
    job = imports.run(people(40))
    administration.undo(factories.by(ACTOR), job.id)
    db.session.commit()
    with monkeypatch.context() as patched:
        die_at(patched, "contacts.batch_not_committed", after)
        with pytest.raises(Killed):
            imports.work()
        db.session.rollback()
    clock.move(61)
    imports.work()
    assert imports.get(job.id).state == "undone"
    assert snapshot() == before


def test_an_import_that_kills_its_worker_five_times_fails(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    job = imports.begin(people(3))
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    with monkeypatch.context() as patched:
        for _ in range(claims.MAX_TRIES):
            die_at(patched, "contacts.batch_not_committed", 1)
            with pytest.raises(Killed):
                imports.work()
            db.session.rollback()
            clock.move(61)
    imports.work()
    failed = imports.get(job.id)
    assert (failed.state, failed.error, count(Contact)) == ("failed", "import_interrupted", 0)


def test_a_process_that_was_given_up_stores_nothing_more(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    job = imports.begin(people(3))
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    slow = claims.take()
    assert slow is not None
    clock.move(61)
    imports.work()
    assert imports.get(job.id).state == "done"
    with pytest.raises(claims.Superseded):
        slow.advance(rows_done=0)
    db.session.rollback()


def test_what_somebody_adds_meanwhile_is_met_and_not_doubled(
    imports: Imports, contacts: Contacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.services.contacts.imports import planning

    job = imports.begin(people(2))
    original = planning._holders
    calls: list[int] = []

    def overtaken(hashes: Any) -> dict[bytes, int]:
        holders = original(hashes)
        if not calls:
            calls.append(1)
            # As another transaction would, between the question and the insert.
            monkeypatch.setattr(planning, "_holders", original)
            records.create(factories.by(ACTOR), {"first_name": "Other", "phone": number(1)})
        return holders

    monkeypatch.setattr(planning, "_holders", overtaken)
    done = imports.go_on(job.id)
    assert done.state == "done"
    assert count(ContactPoint) == 4
    assert len({point["value"] for contact in contacts() for point in contact["points"]}) == 4


def test_a_running_import_stops_when_it_is_canceled_and_can_be_undone(
    imports: Imports, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot()
    job = imports.begin(people(45))
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    hits = 0

    def cancel(point: str) -> None:
        nonlocal hits
        hits += point == "contacts.batch_committed"
        if hits == 2 and point == "contacts.batch_committed":
            administration.cancel(factories.by("user:2"), job.id)
            db.session.commit()

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "hit", cancel)
        imports.work()
    canceled = imports.get(job.id)
    assert (canceled.state, count(Contact), report(canceled)["create"]) == ("canceled", 20, 20)
    assert imports.undo(job.id).state == "undone"
    assert snapshot() == before


def test_an_import_is_canceled_before_it_runs_and_its_file_goes(imports: Imports) -> None:
    job = imports.begin(people(3))
    key = job.file_key
    assert key is not None
    assert files.storage_of_instance().exists(key)
    administration.cancel(factories.by(ACTOR), job.id)
    db.session.commit()
    imports.work()
    assert imports.get(job.id).state == "canceled"
    assert not files.storage_of_instance().exists(key)
    for refused in (administration.run, administration.undo, administration.cancel):
        with pytest.raises(Conflict):
            refused(factories.by(ACTOR), job.id)
        db.session.rollback()


def test_a_file_that_is_gone_fails_the_import(imports: Imports) -> None:
    job = imports.begin(people(3))
    assert job.file_key is not None
    files.storage_of_instance().delete(job.file_key)
    failed = imports.go_on(job.id)
    assert (failed.state, failed.error) == ("failed", "file_not_found")


def test_while_the_storage_is_away_an_import_waits(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    job = imports.begin(people(3))
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    with monkeypatch.context() as patched:

        def away(_storage: Any, _key: str) -> Any:
            assert not db.session().in_transaction(), "nothing waits for the storage in a transaction"
            raise OSError("away")

        patched.setattr(type(files.storage_of_instance()), "open", away)
        for _ in range(2 * claims.MAX_TRIES):
            imports.work()
            assert imports.get(job.id).state == "running"
            db.session.rollback()
            clock.move(31)
    imports.work()
    assert (imports.get(job.id).state, count(Contact)) == ("done", 3)


def test_a_stored_file_is_imported_and_stays(imports: Imports, contacts: Contacts) -> None:
    file_id = files.upload(COMMAND_LINE, "people.csv", io.BytesIO(people(2))).id
    job = administration.create(factories.by(ACTOR), file_id=file_id)
    db.session.commit()
    imports.work()
    imports.go_on(job.id)
    assert len(contacts()) == 2
    assert files.open_file(files.get(file_id)).read() == people(2)


def test_a_second_run_of_a_running_import_does_nothing(imports: Imports) -> None:
    job = imports.begin(people(3))
    administration.run(factories.by(ACTOR), job.id)
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    imports.work()
    assert (imports.get(job.id).state, count(Contact)) == ("done", 3)
    with pytest.raises(Conflict):
        administration.run(factories.by(ACTOR), job.id)


def test_what_is_imported_is_heard_live_with_few_events(imports: Imports, small_batches: None) -> None:
    imports.run(people(100))
    with system_scope("a test"):
        topics = db.session.scalars(select(LiveEvent.topic)).all()
    assert topics.count("imports") >= 10
    assert 10 <= topics.count("contacts") <= 20


# --- undo ------------------------------------------------------------------------------------------------------


def test_an_undo_puts_contacts_points_fields_and_tags_back_column_by_column(
    imports: Imports, contacts: Contacts
) -> None:
    custom_fields.create(factories.by(ACTOR), "seats", "Seats", "number")
    records.create(
        factories.by(ACTOR),
        {"first_name": "Ada", "phone": number(1), "email": "ada@example.com", "tags": ["VIP"], "fields": {"seats": 1}},
    )
    records.create(factories.by(ACTOR), {"first_name": "Bob", "email": "bob@example.com"})
    records.create(factories.by(ACTOR), {"first_name": "Untouched", "email": "u@example.com"})
    db.session.commit()
    before = snapshot()
    content = (
        "First name,Company,Phone,Email,Seats,Tags,Telegram,Unsubscribed,Consent date,Consent source\n"
        f"Eve,Mills,{number(1)},new@example.com,5,VIP;Fresh,@eve_sample,,2026-03-01,fair\n"
        f",,{number(2)},bob@example.com,7,Fresh,,yes,,\n"
        f"New,Firm,{number(3)},,1,,,,2026-03-01,fair\n"
        f"New,Later,{number(3)},n@example.com,,,,,,\n"
    ).encode()
    done = imports.run(content, overwrite=True)
    assert done.state == "done"
    assert snapshot() != before
    undone = imports.undo(done.id)
    assert undone.state == "undone"
    assert snapshot() == before
    # What cannot be taken back is said.
    assert (report(undone)["suppressions_kept"], report(undone)["consents_withdrawn"]) == (2, 2)
    assert count(Suppression) == 2
    assert contacts()[1]["suppressed"] is True
    ada = contacts()[0]
    assert [entry["state"] for entry in ada["consents"]] == ["withdrawn"]
    assert count(ContactImportChange) == 0


def test_an_undo_leaves_what_somebody_did_since(imports: Imports, contacts: Contacts) -> None:
    old = records.create(factories.by(ACTOR), {"first_name": "Ada", "phone": number(1)}).id
    db.session.commit()
    job = imports.run(
        f"First name,Company,Title,Phone\n,Mills,Buyer,{number(1)}\nNew,,,{number(2)}\nOther,,,{number(3)}\n".encode()
    )
    new = contacts()[1]["id"]
    records.change(factories.by(ACTOR), old, {"company": "Better Mills"})
    records.change(factories.by(ACTOR), new, {"last_name": "Known", "email": "new@example.com"})
    db.session.commit()
    undone = imports.undo(job.id)
    assert report(undone)["kept"] == 1
    ada, kept = contacts()
    assert (ada["company"], ada["title"]) == ("Better Mills", None)
    assert (kept["first_name"], kept["last_name"], kept["phone"]) == ("New", "Known", number(2))


def test_an_erased_person_does_not_come_back_by_an_undo(imports: Imports, contacts: Contacts) -> None:
    old = records.create(factories.by(ACTOR), {"first_name": "Ada", "company": "Mills", "phone": number(1)}).id
    db.session.commit()
    job = imports.run(f"Company,Phone\nOther,{number(1)}\n".encode(), overwrite=True)
    records.erase(factories.by(ACTOR), old)
    db.session.commit()
    assert imports.undo(job.id).state == "undone"
    assert contacts() == []
    row = db.session.get(Contact, old)
    assert row is not None
    assert (row.first_name, row.company) == (None, None)


def test_an_undo_is_possible_for_thirty_days(imports: Imports) -> None:
    job = imports.run(people(2))
    clock.move(30 * 86_400 + 60)
    with pytest.raises(Conflict) as refused:
        administration.undo(factories.by(ACTOR), job.id)
    assert refused.value.code == "undo_expired"


def test_tags_that_an_import_made_go_unless_somebody_uses_them(imports: Imports) -> None:
    other = records.create(factories.by(ACTOR), {"first_name": "Ada", "email": "ada@example.com"}).id
    db.session.commit()
    job = imports.run(people(1), tags=["Fresh", "Used"])
    tags.put(other, ["Used"])
    db.session.commit()
    imports.undo(job.id)
    assert sorted(db.session.scalars(select(Tag.name))) == ["Used"]


# --- workspaces ------------------------------------------------------------------------------------------------


def test_another_workspace_with_the_same_people_is_not_touched(imports: Imports, home: Any) -> None:
    from backend.core.database import workspace_scope
    from tests.support import factories

    other_id = factories.workspace().id
    db.session.commit()
    with workspace_scope(other_id):
        records.create(factories.by(ACTOR), {"first_name": "Theirs", "phone": number(0)})
        suppressions.suppress_value(factories.by(ACTOR), "phone", number(1), None, code="requested")
        db.session.commit()
    job = imports.begin(people(2))
    assert (report(job)["create"], report(job)["suppressed"]) == (2, 0)
    imports.go_on(job.id)
    with workspace_scope(other_id):
        db.session.expire_all()
        assert [contact.first_name for contact in db.session.scalars(select(Contact))] == ["Theirs"]


def test_several_imports_are_worked_on_in_turn(imports: Imports) -> None:
    ids = [
        administration.create(factories.by(ACTOR), filename="a.csv", stream=io.BytesIO(people(2, n * 10))).id
        for n in range(3)
    ]
    db.session.commit()
    assert work.work_on(Turn(seconds=600)) == 3
    assert {imports.get(import_id).state for import_id in ids} == {"checked"}
