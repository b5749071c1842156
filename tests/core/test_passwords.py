"""Passwords: hashed with Argon2id, checked in constant work, bounded in length."""

from __future__ import annotations

import traceback
import unicodedata
from collections.abc import Iterator

import pytest

from backend.core import passwords
from backend.core.errors import Invalid
from backend.core.passwords import Passwords

CHEAP = Passwords(memory_kib=8, passes=1)
GOOD = "correct horse battery"


@pytest.fixture
def _cheap() -> Iterator[None]:
    passwords.use(CHEAP)
    yield
    passwords.use(None)


def test_a_password_verifies_and_another_does_not() -> None:
    stored = CHEAP.hash(GOOD)
    assert stored.startswith("$argon2id$")
    assert GOOD not in stored
    assert CHEAP.verify(stored, GOOD)
    for wrong in (GOOD + " ", GOOD[:-1], GOOD.upper(), "", "x" * 5000, "\ud800" * 12, GOOD + "\x00"):
        assert not CHEAP.verify(stored, wrong), repr(wrong)


def test_equal_passwords_have_different_hashes() -> None:
    assert CHEAP.hash(GOOD) != CHEAP.hash(GOOD)


def test_composed_and_decomposed_korean_are_one_password() -> None:
    typed = "비밀번호는길어야합니다"
    stored = CHEAP.hash(unicodedata.normalize("NFD", typed))
    assert CHEAP.verify(stored, unicodedata.normalize("NFC", typed))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("1234567", "password_too_short"),
        ("x" * 1025, "password_too_long"),
        ("가" * 342, "password_too_long"),
        ("long enough \ud800", "password_invalid"),
    ],
)
def test_passwords_outside_the_limits_are_refused_without_being_shown(password: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        CHEAP.hash(password)
    assert caught.value.code == code
    shown = "".join(traceback.format_exception(caught.value))
    assert not password or password not in shown


@pytest.mark.parametrize("password", ["1234567890", "x" * 1024, "가" * 10, "가" * 341])
def test_passwords_at_the_limits_are_taken(password: str) -> None:
    assert CHEAP.verify(CHEAP.hash(password), password)


@pytest.mark.parametrize("stored", ["", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$broken"])
def test_a_stored_value_that_is_no_hash_verifies_nothing(stored: str) -> None:
    assert not CHEAP.verify(stored, GOOD)


@pytest.mark.parametrize("password", ["", GOOD, "x" * 5000, "\ud800"])
def test_every_attempt_costs_one_argon2_check(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Passwords(memory_kib=8, passes=1)
    stored = subject.hash("another password")
    calls: list[str] = []

    class Counting:
        def verify(self, hashed: str, presented: bytes) -> bool:
            calls.append(hashed)
            return CHEAP._hasher.verify(hashed, presented)

    monkeypatch.setattr(subject, "_hasher", Counting())
    subject.verify_dummy(password)
    assert not subject.verify(stored, password)
    assert len(calls) == 2
    for hashed in calls:
        assert hashed.split("$")[:4] == stored.split("$")[:4]


def test_only_hashes_with_other_parameters_need_rehashing() -> None:
    dearer = Passwords(memory_kib=16, passes=1)
    stored = CHEAP.hash(GOOD)
    assert not CHEAP.needs_rehash(stored)
    assert dearer.needs_rehash(stored)
    assert dearer.verify(stored, GOOD)


@pytest.mark.usefixtures("_cheap")
def test_the_module_uses_the_parameters_of_the_process() -> None:
    stored = passwords.hash(GOOD)
    assert "m=8,t=1,p=1" in stored
    assert passwords.verify(stored, GOOD)
    assert not passwords.verify(stored, "wrong password")
    passwords.verify_dummy(GOOD)
    assert not passwords.needs_rehash(stored)


def test_the_default_parameters_are_the_documented_ones() -> None:
    stored = passwords.hash(GOOD)
    assert "m=47104,t=2,p=1" in stored
    assert passwords.needs_rehash(CHEAP.hash(GOOD))
