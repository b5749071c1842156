"""A result's columns are described to whoever asks, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backend.core.config import Settings
from backend.core.cursors import Cursor


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), cursor_factory=Cursor) as made:
        yield made


def test_a_description_says_what_the_librarys_own_says(connection: psycopg.Connection) -> None:
    cursor = connection.execute("SELECT 1 AS number, 'a' AS letter")
    description = cursor.description
    assert description is not None
    assert len(description) == 2
    assert [(column[0], column[1]) for column in description] == [("number", 23), ("letter", 25)]
    assert description[-1].name == "letter"


def test_columns_that_nobody_asks_for_are_not_made(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_cursor: Cursor[Any]) -> list[psycopg.Column]:
        raise AssertionError("nobody has asked")

    monkeypatch.setattr(Cursor, "described", refuse)
    assert connection.execute("SELECT 1, 2").description is not None


@pytest.mark.parametrize("statement", ["SET statement_timeout = 0", "CREATE TEMPORARY TABLE t ()"])
def test_what_gives_no_rows_has_no_description(connection: psycopg.Connection, statement: str) -> None:
    assert connection.execute(statement.encode()).description is None


def test_an_empty_select_gives_rows_without_columns(connection: psycopg.Connection) -> None:
    cursor = connection.execute("SELECT")
    assert cursor.description == []
    assert cursor.fetchall() == [()]


def test_a_description_is_not_that_of_a_later_result(connection: psycopg.Connection) -> None:
    cursor = connection.execute("SELECT 1 AS earlier")
    description = cursor.description
    cursor.execute("SELECT 1 AS later")
    assert description is not None
    with pytest.raises(psycopg.InterfaceError):
        description[0]
