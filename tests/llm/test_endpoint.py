"""The address, the key and the estimate of tokens."""

from __future__ import annotations

import pytest

from backend.llm import Endpoint, Message, tokens

QUESTION = (Message("user", "How are you today? " * 40),)


@pytest.fixture(autouse=True)
def nothing_learnt() -> None:
    tokens.forget()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
        ("https://example.com/api/v1", "https://example.com/api/v1/chat/completions"),
        (
            "https://name.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
            "https://name.openai.azure.com/openai/deployments/small/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_the_address_is_the_one_before_the_method(given: str, asked: str) -> None:
    assert Endpoint(given, "small").url == asked


def test_the_key_goes_into_the_header_that_its_server_reads_and_is_not_shown() -> None:
    usual = Endpoint("https://api.example.com/v1", "small", "secret-key")
    azure = Endpoint("https://name.openai.azure.com/openai/v1", "small", "secret-key")
    assert usual.headers == {"authorization": "Bearer secret-key"}
    assert azure.headers == {"api-key": "secret-key"}
    assert Endpoint("http://127.0.0.1:11434", "small").headers == {}
    assert Endpoint("https://api.example.com/v1", "small", "two\nlines").headers == {}
    assert "secret-key" not in repr(usual)


def test_a_token_has_two_bytes_until_a_server_has_counted() -> None:
    endpoint = Endpoint("https://api.example.com/v1", "small")
    other = Endpoint("https://api.example.com/v1", "large")
    assert tokens.plain_estimate("안녕") == 3
    before = tokens.of_messages(endpoint, QUESTION)
    tokens.learn(endpoint, QUESTION, before // 2)
    assert tokens.of_messages(endpoint, QUESTION) == pytest.approx(before / 2, abs=2)
    assert tokens.of_messages(other, QUESTION) == before


@pytest.mark.parametrize("counted", [0, -5, 1, 10**9])
def test_an_absurd_count_moves_the_estimate_within_bounds_only(counted: int) -> None:
    endpoint = Endpoint("https://api.example.com/v1", "small")
    before = tokens.of_messages(endpoint, QUESTION)
    tokens.learn(endpoint, QUESTION, counted)
    assert before / 4 - 1 <= tokens.of_messages(endpoint, QUESTION) <= before * 1.5 + 1


def test_a_short_question_teaches_nothing() -> None:
    endpoint = Endpoint("https://api.example.com/v1", "small")
    short = (Message("user", "Hello"),)
    tokens.learn(endpoint, short, 90)
    assert tokens.estimate(endpoint, "x" * 100) == 50
