"""A column with whole names gives first and last name, where their form tells them apart."""

from __future__ import annotations

import pytest

from backend.core import clock
from backend.services.contacts.imports import full_names, mapping
from backend.services.contacts.imports.person_rows import PersonReader
from backend.services.contacts.imports.text_rows import Row


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Lovelace, Ada", "Ada", "Lovelace"),
        ("Ada", "Ada", ""),
        ("Mary Jane Watson", "Mary Jane", "Watson"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Maria de la Cruz", "Maria", "de la Cruz"),
        ("Van Morrison", "Van", "Morrison"),
        ("홍길동", "길동", "홍"),
        ("남궁민수", "민수", "남궁"),
        ("홍 길동", "길동", "홍"),
        ("김", "김", ""),
        ("山田 太郎", "太郎", "山田"),
        ("山田太郎", "山田太郎", ""),
        ("", "", ""),
    ],
)
def test_a_whole_name(name: str, first: str, last: str) -> None:
    assert full_names.split(name) == (first, last)


@pytest.mark.parametrize(
    ("header", "cells", "values"),
    [
        (["Name", "Phone"], ["Ada Lovelace", "+12025550101"], {"first_name": "Ada", "last_name": "Lovelace"}),
        (["성명", "Phone"], ["홍길동", "+12025550101"], {"first_name": "길동", "last_name": "홍"}),
        (
            ["Display Name", "First Name", "Phone"],
            ["Dr. Ada Lovelace", "Ada", "+12025550101"],
            {"first_name": "Ada"},
        ),
    ],
)
def test_a_column_of_whole_names_is_known_and_yields_to_single_ones(
    header: list[str], cells: list[str], values: dict[str, str]
) -> None:
    rows = [Row(1, header), Row(2, cells)]
    found = mapping.find_header(rows, {})
    chosen = mapping.guess(found, rows[1:], {})
    person = PersonReader(found.names, chosen, {}, None, clock.now()).read(rows[1])
    assert person.values == values
