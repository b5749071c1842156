"""Imports and the caps of a workspace: one that would not fit is not begun, one that meets a cap on its way says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.core import config
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import Contact, Tag
from backend.services.contacts import records
from backend.services.contacts.imports import administration
from tests.services.contacts.conftest import ACTOR, Imports
from tests.services.contacts.import_files import HEADER, count, people
from tests.support import factories


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets WORKSPACE_CAPS."""

    def set_caps(setting: str) -> None:
        monkeypatch.setattr(config, "_current", config.get().model_copy(update={"workspace_caps": setting}))

    return set_caps


def test_what_would_not_fit_is_not_begun(imports: Imports, capped: Callable[[str], None]) -> None:
    records.create(factories.by(ACTOR), {"first_name": "Ada"})
    job = imports.begin(people(3))
    capped("contacts=3")
    with pytest.raises(Conflict) as refused:
        administration.run(factories.by(ACTOR), job.id)
    assert refused.value.code == "too_many_contacts"
    db.session.rollback()
    assert imports.get(job.id).state == "checked"
    capped("contacts=4")
    assert imports.go_on(job.id).state == "done"
    assert count(Contact) == 4


def test_one_that_meets_the_cap_on_its_way_keeps_whole_batches_and_is_undone(
    imports: Imports, capped: Callable[[str], None]
) -> None:
    job = imports.begin(people(1_500))
    administration.run(factories.by(ACTOR), job.id)
    db.session.commit()
    capped("contacts=1200")
    imports.work()
    stopped = imports.get(job.id)
    assert (stopped.state, stopped.error) == ("failed", "too_many_contacts")
    assert count(Contact) == 1_000
    assert imports.undo(job.id).state == "undone"
    assert count(Contact) == 0


def test_a_file_with_more_tags_than_there_may_be_stores_nothing(
    imports: Imports, capped: Callable[[str], None]
) -> None:
    capped("tags=3")
    rows = "".join(f"P{n},Q,Firm,+8210200{n:05d},,tag {n}\n" for n in range(5))
    job = imports.run((HEADER + rows).encode())
    assert (job.state, job.error) == ("failed", "too_many_tags")
    assert count(Contact) == count(Tag) == 0


def test_people_who_are_there_are_changed_at_the_cap(imports: Imports, capped: Callable[[str], None]) -> None:
    imports.run(people(3))
    capped("contacts=3")
    job = imports.run(people(3).replace(b"Firm", b"Mill"), overwrite=True)
    assert job.state == "done"
    assert job.report is not None
    assert job.report["update"] == 3
