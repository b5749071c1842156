"""A workspace in scope, a site to fetch from, and an owner that hears what became of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask

from backend.core import config, events
from backend.core.database import db, workspace_scope
from backend.models import Workspace
from backend.services import files
from backend.services.files import FileFetched, FileFetchFailed, Source
from tests.support import factories
from tests.support.file_site import Site, file_site

OWNER = "a_test"


@pytest.fixture
def home(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace of an installation with an empty storage."""
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"media_url": str(tmp_path)}))
    made = factories.workspace()
    db.session.commit()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def site(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on a private address, which this installation may ask."""
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))
    with file_site() as made:
        yield made


@dataclass
class Owner:
    """Whoever asks for files in these tests; `reaction` is what it does when it hears of one."""

    fetched: list[FileFetched] = field(default_factory=list)
    failed: list[FileFetchFailed] = field(default_factory=list)
    unwanted: bool = False
    defect: Exception | None = None

    def ask(self, url: str, kind: str = "photo", owner_id: int = 1, **options: int) -> None:
        """Asks for a file, and commits."""
        files.request(OWNER, owner_id, Source(url), kind, **options)
        db.session.commit()

    def on_fetched(self, event: FileFetched) -> None:
        """A file is there."""
        if self.defect is not None:
            raise self.defect
        if event.owner_kind == OWNER:
            self.fetched.append(event)
            if self.unwanted:
                files.discard(event.file_id)

    def on_failed(self, event: FileFetchFailed) -> None:
        """A file did not come."""
        if self.defect is not None:
            raise self.defect
        if event.owner_kind == OWNER:
            self.failed.append(event)


@pytest.fixture
def owner(home: Workspace) -> Iterator[Owner]:
    made = Owner()
    events.subscribe(FileFetched, made.on_fetched)
    events.subscribe(FileFetchFailed, made.on_failed)
    yield made
    events.unsubscribe(FileFetched, made.on_fetched)
    events.unsubscribe(FileFetchFailed, made.on_failed)
