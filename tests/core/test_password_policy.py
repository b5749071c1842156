"""Passwords that guessers try first are refused; what is long and not common is taken, whatever it is made of."""

from __future__ import annotations

import base64
import random

import pytest

from backend.core.errors import Invalid
from backend.core.password_policy import refuse_weak

KNOWN = ("minji.kim@example.com", "Kim Minji", "Seaside Coffee")


@pytest.mark.parametrize(
    "password",
    [
        "password", "PASSWORD1", "password123", "Password2024!!", "P@ssw0rd", "pa$$word", "12345678", "87654321",
        "qwertyui", "poiuytrewq", "1q2w3e4r", "asdfghjkl", "abcdefgh", "aaaaaaaa", "abababab", "abc123abc123",
        "iloveyou", "sunshine99", "!!letmein!!", "hunter2hunter2", "  football  ", "test1234", "ｐａｓｓｗｏｒｄ",
        "passwordpasswordpassword", "11111111111111111111", "1qaz2wsx", "가가가가가가가가",
        "ab" * 500,
    ],
)  # fmt: skip
def test_common_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as caught:
        refuse_weak(password, KNOWN)
    assert caught.value.code == "password_common"
    assert caught.value.detail is None


@pytest.mark.parametrize(
    "password",
    [
        "minji.kim", "Minji2024!", "kimminji1", "KimMinji", "minji.kim@example.com", "seaside-coffee", "CoffeeSeaside7",
        "example.com", "switchboard1", "minjiminji!", "Kim-Minji-99",
    ],
)  # fmt: skip
def test_the_name_and_the_address_of_the_account_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as caught:
        refuse_weak(password, KNOWN)
    assert caught.value.code in ("password_personal", "password_common")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "correct horse", "a brand new password", "minji likes the sea",
        "비밀번호는길어야합니다",
        "kx7-Lq2vT", "x" * 10 + "-" + "y" * 10 + "q", "0b7e9f21c4", "tr0mbone&harbour",
    ],
)  # fmt: skip
def test_others_are_taken(password: str) -> None:
    refuse_weak(password, KNOWN)


def test_random_passwords_are_taken() -> None:
    # From a fixed seed: of ten thousand such texts one or two happen to hold a common password.
    chance = random.Random(11)
    for _ in range(500):
        refuse_weak(base64.urlsafe_b64encode(chance.randbytes(8)).rstrip(b"=").decode(), KNOWN)
        refuse_weak(chance.randbytes(5).hex(), KNOWN)
