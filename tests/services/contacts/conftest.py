"""A workspace in scope, and importing a file from its first byte to its last step."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core.database import db, workspace_scope
from backend.core.work import Turn
from backend.models import Contact, ContactImport, User, Workspace
from backend.services.contacts import serializers
from backend.services.contacts.imports import administration, work
from tests.support import factories

FILES = Path(__file__).with_name("files")
ACTOR = "user:1"


@pytest.fixture
def home(app: Flask) -> Iterator[Workspace]:
    """A workspace, in scope."""
    made = factories.workspace()
    db.session.commit()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def person(home: Workspace) -> User:
    """A member."""
    return factories.user(home)


class Imports:
    """Importing as a person does it, one call a step."""

    def begin(self, content: bytes, filename: str = "file.csv", **changes: Any) -> ContactImport:
        """Uploads a file, has it read and checked, and checked anew with `changes`."""
        job = administration.create(factories.by(ACTOR), filename=filename, stream=io.BytesIO(content))
        db.session.commit()
        self.work()
        if changes:
            administration.change(factories.by(ACTOR), job.id, changes)
            db.session.commit()
            self.work()
        return self.get(job.id)

    def run(self, content: bytes, filename: str = "file.csv", **changes: Any) -> ContactImport:
        """The same, and carries it out."""
        return self.go_on(self.begin(content, filename, **changes).id)

    def sample(self, name: str, **changes: Any) -> ContactImport:
        """Begins the import of a sample file."""
        return self.begin((FILES / name).read_bytes(), name, **changes)

    def go_on(self, import_id: int) -> ContactImport:
        """Carries a checked import out."""
        administration.run(factories.by(ACTOR), import_id)
        db.session.commit()
        self.work()
        return self.get(import_id)

    def undo(self, import_id: int) -> ContactImport:
        """Undoes an import."""
        administration.undo(factories.by(ACTOR), import_id)
        db.session.commit()
        self.work()
        return self.get(import_id)

    def get(self, import_id: int) -> ContactImport:
        """The import as it is stored."""
        db.session.expire_all()
        job = administration.get(import_id)
        db.session.refresh(job)
        # What a test goes on to do does not change what it was given.
        db.session.expunge(job)
        return job

    def work(self) -> None:
        """Does what is due."""
        work.work_on(Turn(seconds=600))


@pytest.fixture
def imports(home: Workspace) -> Imports:
    """Imports into the workspace."""
    return Imports()


@pytest.fixture
def contacts(home: Workspace) -> Callable[[], list[dict[str, Any]]]:
    """What the workspace's contacts are, oldest first."""

    def show() -> list[dict[str, Any]]:
        db.session.expire_all()
        query = select(Contact).where(Contact.erased_at.is_(None)).order_by(Contact.id)
        return serializers.describe(db.session.scalars(query).all())

    return show
