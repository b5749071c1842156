"""What is taken out of a log, and what must stay readable."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.logging.redaction import MAX_TEXT, Redactor

TAIL = "AAF-abcdefghijklmnopqrstuvwxyz_0123"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJlc2lnbmF0dXJl"
redactor = Redactor()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token 123456:{TAIL} revoked", "token 123456:*** revoked"),
        ("authorization: abcdefghijkl", "authorization: ***"),
        ("password: hunter2hunter2", "password: ***"),
        ("could not convert string to float: my own words", "could not convert string to float: '***'"),
        (f"https://api.telegram.org/bot123456:{TAIL}/sendMessage", "https://api.telegram.org/bot123456:***/sendMessage"),
        (f"/file/bot123456:{TAIL}/photos/1.jpg", "/file/bot123456:***/photos/1.jpg"),
        ("/bot12:short-one/getMe", "/bot12:***/getMe"),
        (f"/bot123456%3A{TAIL}/getMe", "/bot123456%3A***/getMe"),
        (f"id=123456%3a{TAIL}", "id=123456%3a***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("authorization=Basic dXNlcjpwYXNz", "authorization=Basic ***"),
        ("{'Authorization': 'token-abc'}", "{'Authorization': '***'}"),
        ("('authorization', b'Bearer abcdef')", "('authorization', b'Bearer ***')"),
        ("sent bearer abcdefghijkl", "sent bearer ***"),
        ("Cookie: session=abc; csrf=def\nnext", "Cookie: ***\nnext"),
        (f"got {JWT}.", "got ***."),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.", "***"),
        ("postgresql+psycopg://app:p%40ss/w:rd@db:5432/x", "postgresql+psycopg://***@db:5432/x"),
        ("redis://:hunter2@valkey:6379/0", "redis://***@valkey:6379/0"),
        ("https://key@sentry.example/1", "https://***@sentry.example/1"),
        ("start=user_42_q1w2e3r4t5y6u7i8", "start=user_42_***"),
        ("t.me/b?start%3Duser_42_q1w2e3r4t5y6u7i8", "t.me/b?start%3Duser_42_***"),
        ("got sbp_q1w2e3r4t5y6u7i8o9p0 here", "got sbp_*** here"),
        ("/me?access_token=EAAB12&fields=id", "/me?access_token=***&fields=id"),
        ("key EAABwzLixnjYBO0123456789abcdef here", "key *** here"),
        ("Incorrect API key provided: sk-proj-abcdefghijklmnop1234", "Incorrect API key provided: sk-***"),
        ("login(password='hun ter2', api_hash=\"0123abcd\")", "login(password='***', api_hash=\"***\")"),
        ('{"refresh_token": "abc", "id": 7}', '{"refresh_token": "***", "id": 7}'),
        ("{'client_secret': 'abc\\'def', 'id': 7}", "{'client_secret': '***', 'id': 7}"),
        ("X-Telegram-Bot-Api-Secret-Token=abc next", "X-Telegram-Bot-Api-Secret-Token=*** next"),
        ("password: hunter2", "password: ***"),
        ("session 1" + "Ab_-" * 80 + "= saved", "session *** saved"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----!", "***!"),
        ("[SQL: INSERT]\n[parameters: {'t': 'hi [you]', 'n': 1}]\n(B", "[SQL: INSERT]\n[parameters: ***]\n(B"),
        ("DETAIL:  Key (email)=(a@b.example) already exists.", "DETAIL:  Key (email)=(***) already exists."),
        ("Key (a, b)=(1, my (own)\nwords) already exists.", "Key (a, b)=(***) already exists."),
        ("DETAIL:  Failing row contains (1, hello (you), null).", "DETAIL:  Failing row contains (***)."),
        ("CONTEXT:  unnamed portal parameter $2 = 'hi there'", "CONTEXT:  unnamed portal parameter $2 = ***"),
        ("unnamed portal parameter $1 = 'hi\nit''s me'\n[SQL: S]", "unnamed portal parameter $1 = ***\n[SQL: S]"),
        ("Failing row contains (1, hello\nyou), null).\n[SQL: S]", "Failing row contains (***).\n[SQL: S]"),
        (
            "Failing row contains (1, bye).\nhello, null).\n\nThe above exception was the direct cause",
            "Failing row contains (***).\n\nThe above exception was the direct cause",
        ),
        ("Failing row contains (1, hello\nyou", "Failing row contains (***)."),
        ("E('Failing row contains (1, a).\\n b).\\n[SQL: S]')", "E('Failing row contains (***).\\n[SQL: S]')"),
        ("invalid literal for int() with base 10: 'my words'", "invalid literal for int() with base 10: '***'"),
        ("E(\"invalid literal for int() with base 2: 'x'\")", "E(\"invalid literal for int() with base 2: '***'\")"),
        ("invalid literal for int() with base 10: 'my", "invalid literal for int() with base 10: '***'"),
        ("could not convert string to float: \"it's\"", "could not convert string to float: '***'"),
        ("Invalid isoformat string: 'my words'", "Invalid isoformat string: '***'"),
        ("time data 'my words' does not match format '%Y'", "time data '***' does not match format '%Y'"),
        ('invalid input syntax for type bigint: "my words"', 'invalid input syntax for type bigint: "***"'),
        (
            'invalid input syntax for type bigint: "say "hi"\nto me"\nCONTEXT:  unnamed portal parameter $1 = \'x\'',
            'invalid input syntax for type bigint: "***"\nCONTEXT:  unnamed portal parameter $1 = ***',
        ),
        ('invalid input value for enum state: "mine', 'invalid input value for enum state: "***"'),
        ('value "99999999999\n9" is out of range for type bigint', 'value "***" is out of range for type bigint'),
        ("[type=int, input_value='hi', input_type=str]", "[type=int, input_value=***, input_type=str]"),
    ],
)  # fmt: skip
def test_secrets_in_texts_are_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert redactor.text(text) == expected
    assert redactor.text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "delivery 7 sent in 12:30:59",
        "2026-02-26T10:30:00Z",
        "http://127.0.0.1:8000/api/events?limit=50",
        "mail to a@b.example failed",
        "used tokens=350 of max_tokens=4096",
        "the token is not valid",
        "user_42_linked",
        "job backend.jobs.intake.run(12) (0f8fad5b-d9cb-469f-a165-70867728950e)",
        "안녕 ✅",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert redactor.text(text) == text


class Broken:
    """Something whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("detached")


class Shown:
    """Something whose repr shows a secret."""

    def __repr__(self) -> str:
        return f"<Bot 123456:{TAIL}>"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("token", "abc", "***"),
        ("bot_token", "abc", "***"),
        ("accessToken", "abc", "***"),
        ("TELEGRAM_WEBHOOK_SECRET", "abc", "***"),
        ("password", 12345678, "***"),
        ("api_hash", b"abc", "***"),
        ("session", {"a": 1}, "***"),
        ("session_string", "abc", "***"),
        ("Authorization", ["Bearer x"], "***"),
        ("set-cookie", "a=b", "***"),
        ("phone_code", 12345, "***"),
        ("token_id", 7, 7),
        ("tokens", 350, 350),
        ("session_id", 7, 7),
        ("password", None, None),
        ("has_password", True, True),
        ("text", "안녕하세요", "<5 characters>"),
        ("body", b"\x00\x01", "<2 bytes>"),
        ("content", {"a": "hidden"}, "<1 items>"),
        ("payload", Shown(), "<Shown>"),
        ("text", None, None),
        ("chat_id", "123456789", "***"),
        ("phone_number", "+821012345678", "***"),
        ("context", "kept", "kept"),
        ("sender_id", 4, 4),
        ("fields", {"password": "x", "n": [{"text": "hello"}]}, {"password": "***", "n": [{"text": "<5 characters>"}]}),
        ("pair", (1, {"token": "x"}), [1, {"token": "***"}]),
        ("kinds", {"only"}, ["only"]),
        ("blob", b"abc", "<3 bytes>"),
        ("at", datetime(2026, 2, 26, 10, 30, tzinfo=UTC), "2026-02-26T10:30:00+00:00"),
        ("day", date(2026, 2, 26), "2026-02-26"),
        ("share", float("nan"), "nan"),
        ("bot", Shown(), "<Bot 123456:***>"),
        ("broken", Broken(), "<Broken, its repr raised RuntimeError>"),
        ("error", KeyError(f"123456:{TAIL}"), "KeyError: KeyError('123456:***')"),
        ("error", ValueError(Broken()), "ValueError: <ValueError, its repr raised RuntimeError>"),
    ],
)  # fmt: skip
def test_values_are_redacted_by_their_name_and_become_json(name: str, value: object, expected: object) -> None:
    assert redactor.fields({name: value}) == {name: expected}
    json.dumps(redactor.fields({name: value}), allow_nan=False)


def test_a_secret_used_as_a_name_is_masked() -> None:
    assert redactor.fields({f"123456:{TAIL}": 1}) == {"123456:***": 1}


def test_nesting_without_end_is_cut() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert "…" in json.dumps(redactor.fields(loop), ensure_ascii=False)


@pytest.mark.parametrize("position", [0, MAX_TEXT - 20, MAX_TEXT + 980, MAX_TEXT + 2000])
@pytest.mark.parametrize("masked_before", [0, 40])
def test_a_long_text_is_cut_and_no_secret_survives_at_the_cut(position: int, masked_before: int) -> None:
    start = f"123456:{TAIL} " * masked_before
    text = start + "x" * (position - len(start)) + f" 123456:{TAIL} " + "y" * MAX_TEXT
    shown = redactor.text(text)
    assert TAIL[:8] not in shown
    assert len(shown) <= MAX_TEXT + 10
    assert shown.endswith("… (cut)")


@settings(max_examples=100, deadline=None)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_bot_token_is_masked_whatever_stands_around_it(before: str, after: str) -> None:
    assert TAIL not in redactor.text(f"{before} 123456:{TAIL} {after}")


def test_known_secrets_are_masked_the_longest_first() -> None:
    own = Redactor(["abcdefgh", "abcdefgh-ijkl", "short"])
    assert own.text("1 abcdefgh-ijkl 2 abcdefgh 3 short") == "1 *** 2 *** 3 short"


@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "a.",
        "a://",
        "://b:",
        "eyJ-",
        "1-",
        "[parameters: ",
        "input_value=",
        "Key (",
        "Key (a)=(",
        "user_1_",
        "123456:",
        "token",
        "'a\\",
        "Failing row contains (",
        ").",
        "). \n",
        'value "',
        "unnamed portal parameter $1 = '",
        'invalid input syntax for type a: "',
    ],
)
def test_hostile_texts_take_no_unreasonable_work(unit: str) -> None:
    text = (unit * MAX_TEXT)[:MAX_TEXT]
    assert isinstance(redactor.text(text), str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[parameters: {'t': 'hi", "[parameters: ***]"),
        ("a [parameters: {'t': '[parameters: hi", "a [parameters: ***]"),
        ("input_value='hi there", "input_value=***"),
        ("input_value='hi\nnext line", "input_value=***\nnext line"),
    ],
)
def test_what_has_no_end_is_hidden_whole(text: str, expected: str) -> None:
    assert redactor.text(text) == expected


@pytest.mark.parametrize(
    "text", ["2026-11-29T19:18:59.149837Z", "backend.http.envelope", "/api/alerts/<int:alert_id>", "e0" * 16, "user:17"]
)
def test_what_is_in_every_line_is_searched_by_no_rule(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.core.logging.redaction._RULES", None)
    assert redactor.text(text) == text
