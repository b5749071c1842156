"""Searches: nothing that is searched for is a pattern, and a search that takes long is given up with a 503."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from backend.core.database import db, workspace_scope
from backend.core.errors import Unavailable
from backend.services import search as searching
from backend.services import text_search
from backend.services.alerts import queries
from tests.support import factories


@pytest.fixture
def home(app):
    made = factories.workspace()
    with workspace_scope(made.id):
        yield made


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%_", ["Ada 100%_ Ltd"]),
        ("%%", []),
        ("__", []),
        ("\\\\", []),
        ("a\\", ["Bea\\"]),
        ("%a%a%a%a%", []),
        ("\0\0", []),
        ("\0Ada", ["Ada 100%_ Ltd"]),
        ("A" * 201, []),
        ("A" * 1_000_000, []),
        ("a", []),
        ("ADA", ["Ada 100%_ Ltd"]),
    ],
)
def test_words_are_no_patterns(home, words, found):
    factories.user(home, name="Ada 100%_ Ltd", email="x1@example.test")
    factories.user(home, name="Bea\\", email="x2@example.test")
    assert [hit.name for hit in searching.find(home.id, words) if hit.kind == "person"] == found


def test_what_takes_long_is_given_up_and_the_session_goes_on(home, monkeypatch):
    monkeypatch.setattr(text_search, "MILLISECONDS", 20)
    with pytest.raises(Unavailable) as refused, text_search.bounded():
        db.session.execute(select(func.pg_sleep(30)))
    assert (refused.value.code, refused.value.status) == ("search_too_slow", 503)
    assert db.session.execute(select(func.current_setting("statement_timeout"))).scalar_one() == "0"


def test_other_statements_have_their_own_time_again(home):
    with text_search.bounded():
        assert db.session.execute(select(func.current_setting("statement_timeout"))).scalar_one() == "2s"
    assert db.session.execute(select(func.current_setting("statement_timeout"))).scalar_one() == "0"


@pytest.mark.parametrize("search", [queries.listing, queries.worst])
def test_alerts_are_searched_within_bounds_and_listed_without(home, search, monkeypatch):
    entered = []
    original = text_search.bounded

    def bounded():
        entered.append(True)
        return original()

    monkeypatch.setattr(text_search, "bounded", bounded)
    assert search()[0] == []
    assert entered == []
    assert search(text="100%_")[0] == []
    assert entered == [True]
