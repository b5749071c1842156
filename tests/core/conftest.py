"""Two workspaces side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.core.database import db, system_scope
from tests.core.tenancy_cases import Pair
from tests.support import factories


@pytest.fixture
def pair(app) -> Pair:
    first, second = factories.workspace(), factories.workspace()
    people = [factories.user(one) for one in (first, second)]
    bots = [factories.bot(one) for one in (first, second)]
    chats = [factories.conversation(one, bot) for one, bot in zip((first, second), bots, strict=True)]
    made = Pair(first.id, second.id, people[0].id, people[1].id, chats[0].id, chats[1].id)
    with system_scope("test"):
        db.session.commit()
    db.session.expunge_all()
    return made


@pytest.fixture
def ids(_application) -> Iterator[Pair]:
    """Ids without rows, for what is refused before it reaches the database."""
    with _application.app_context():
        yield Pair(1, 2, 3, 4, 5, 6)
        db.session.remove()
