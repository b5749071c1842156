"""The words of a text and the searches that find them, judged by PostgreSQL itself."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text

from backend.core.database import db, system_scope
from backend.services.inbox import words


def finds(query: str, content: str, *, has: tuple[str, ...] = (), has_file: bool = False) -> bool:
    search = words.read(query, has=has)
    assert search is not None
    statement = text("SELECT CAST(:words AS tsvector) @@ CAST(:query AS tsquery)")
    with system_scope("a test compares two values"):
        values = {"words": words.tsvector(content, has_file=has_file), "query": search.tsquery}
        return bool(db.session.execute(statement, values).scalar_one())


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("refu", "I want a REFUND for it"),
        ("want refund", "a refund is what I want"),
        ('"want a refund"', "I want a refund!"),
        ('"want a ref"', "I want a refund!"),
        ("café", "The CAFE\u0301 is closed"),
        ("녕하", "안녕하세요"),
        ("안녕하세요", "네, 안녕하세요?"),
        ("세요", "안녕하세요"),
        ("환불 배송", "배송이 늦어서 환불해 주세요"),
        ('"환불해 주세요"', "배송이 늦어서 환불해 주세요"),
        ("요", "안녕하세요"),
        ("아이폰15프로", "새 아이폰15프로 있나요"),
        ("아이폰15", "새 아이폰15프로 있나요"),
        ("東京", "私は東京都に住んでいます"),
        ("o'clock", "at five o'clock sharp"),
        ("01020000001", "call me: 010-2000-0001"),
        ("010-2000-0001", "my number is +82 10 2000 0001"),
        ("+82 10-2000-0001", "010 2000 0001 입니다"),
        ("2000-0001", "+821020000001"),
        ("0001", "+821020000001"),
        ("4711", "order 4711 please"),
        ("47", "order 4711 please"),
    ],
)
def test_a_message_is_found(app: Flask, query: str, content: str) -> None:
    assert finds(query, content)


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("fund", "I want a refund"),
        ("refund tomorrow", "I want a refund"),
        ('"a want refund"', "I want a refund"),
        ("하녕", "안녕하세요"),
        ("안녕히", "안녕하세요"),
        ('"주세요 환불해"', "배송이 늦어서 환불해 주세요"),
        ("20000002", "+821020000001"),
    ],
)
def test_another_is_not(app: Flask, query: str, content: str) -> None:
    assert not finds(query, content)


def test_what_a_message_has_besides_is_asked_for_by_itself(app: Flask) -> None:
    assert finds("see", "see https://example.com", has=("link",))
    assert not finds("see", "see this", has=("link",))
    assert finds("see", "see this", has=("file",), has_file=True)
    assert not finds("see", "see this", has=("file",))


@pytest.mark.parametrize("query", ["", "  ", "!!", '""', "🙂", "\0"])
def test_what_holds_no_word_is_no_search(query: str) -> None:
    assert words.read(query) is None


@pytest.mark.parametrize("query", ["a'b\\c & !d | (e)", "'; --", "a:*b", "<->", '"unclosed quote', "x" * 500])
def test_nothing_in_a_search_is_an_operator(app: Flask, query: str) -> None:
    search = words.read(query)
    if search is not None:
        with system_scope("a test asks PostgreSQL to read it"):
            db.session.execute(text("SELECT CAST(:query AS tsquery)"), {"query": search.tsquery})


def test_a_long_text_of_one_word_is_kept(app: Flask) -> None:
    assert finds("word", "word " * 3000)
    assert finds("x" * 60, "x" * 5000)


def test_the_snippet_shows_the_place() -> None:
    long = "Good morning. " * 20 + "The refund has not come yet. " + "Thank you. " * 20
    shown = words.snippet(long, ("refund",))
    assert "refund" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) <= 122
    assert words.snippet("short\ntext", ("text",)) == "short text"
