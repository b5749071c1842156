"""Sealed values open only where they were sealed; keys rotate; lookups stay; nothing shows a key."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from typing import TypedDict

import pytest

from backend.core import crypto
from backend.core.crypto import DecryptionFailed, Keyring, MalformedKey

KEY_A = base64.urlsafe_b64encode(b"\xfaA" * 16).decode()
KEY_B = base64.urlsafe_b64encode(b"\xffB" * 16).decode()
SECRET = "a secret key of the installation"


class Place(TypedDict):
    """Where a value is sealed."""

    table: str
    column: str
    row: int | str


PLACE: Place = {"table": "senders", "column": "token", "row": 7}


def ring(keys: str = KEY_A, lookup: str | None = None, secret: str = SECRET) -> Keyring:
    return Keyring.from_settings(keys, lookup, secret)


@pytest.mark.parametrize("plaintext", [b"", b"\x00\xff" * 500, "", "안녕 ✅", "123456:token"])
def test_what_was_sealed_opens_in_its_place(plaintext: bytes | str) -> None:
    keyring = ring()
    blob = keyring.encrypt(plaintext, **PLACE)
    if isinstance(plaintext, str):
        assert keyring.decrypt_text(blob, **PLACE) == plaintext
    else:
        assert keyring.decrypt(blob, **PLACE) == plaintext
    assert keyring.decrypt(memoryview(blob), **PLACE) == keyring.decrypt(blob, **PLACE)


def test_the_same_text_never_looks_the_same() -> None:
    keyring = ring()
    blobs = {keyring.encrypt("x", **PLACE) for _ in range(50)}
    assert len(blobs) == 50
    assert len({blob[5:17] for blob in blobs}) == 50


@pytest.mark.parametrize(
    "place",
    [
        {"table": "identities", "column": "token", "row": 7},
        {"table": "senders", "column": "secret", "row": 7},
        {"table": "senders", "column": "token", "row": 8},
        {"table": "senderst", "column": "oken", "row": 7},
        {"table": "senders", "column": "token7", "row": "0"},
    ],
)
def test_a_value_moved_elsewhere_does_not_open(place: Place) -> None:
    keyring = ring()
    blob = keyring.encrypt("secret", **PLACE)
    with pytest.raises(DecryptionFailed):
        keyring.decrypt(blob, **place)


def test_any_changed_byte_is_noticed() -> None:
    keyring = ring()
    blob = keyring.encrypt("secret", **PLACE)
    for position in range(len(blob)):
        altered = bytearray(blob)
        altered[position] ^= 1
        with pytest.raises(DecryptionFailed):
            keyring.decrypt(bytes(altered), **PLACE)


@pytest.mark.parametrize("cut", [lambda b: b[:-1], lambda b: b[:10], lambda b: b"", lambda b: b + b"\x00"])
def test_a_cut_or_lengthened_value_is_noticed(cut: Callable[[bytes], bytes]) -> None:
    keyring = ring()
    with pytest.raises(DecryptionFailed):
        keyring.decrypt(cut(keyring.encrypt("secret", **PLACE)), **PLACE)


def test_a_value_needs_the_id_of_its_row() -> None:
    with pytest.raises(ValueError, match="row"):
        ring().encrypt("x", table="senders", column="token", row=None)  # type: ignore[arg-type]


def test_row_ids_as_number_or_text_are_the_same_row() -> None:
    keyring = ring()
    blob = keyring.encrypt("x", table="t", column="c", row=5)
    assert keyring.decrypt_text(blob, table="t", column="c", row="5") == "x"


def test_rotation_reads_old_keys_writes_the_first_and_tells_them_apart() -> None:
    before = ring(KEY_A)
    old = before.encrypt("secret", **PLACE)
    during = ring(f"{KEY_B}, {KEY_A}")
    assert before.is_current(old)
    assert not during.is_current(old)
    assert during.decrypt_text(old, **PLACE) == "secret"
    new = during.encrypt(during.decrypt(old, **PLACE), **PLACE)
    assert during.is_current(new)
    assert new.startswith(during.current_prefix)
    after = ring(KEY_B)
    assert after.decrypt_text(new, **PLACE) == "secret"
    with pytest.raises(DecryptionFailed, match="not in ENCRYPTION_KEYS"):
        after.decrypt(old, **PLACE)


def test_binary_data_is_not_taken_for_text_and_not_shown() -> None:
    keyring = ring()
    blob = keyring.encrypt(b"\xffhidden", **PLACE)
    with pytest.raises(DecryptionFailed) as caught:
        keyring.decrypt_text(blob, **PLACE)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_lookups_outlive_key_rotation_but_depend_on_kind_and_key() -> None:
    first = ring().lookup("telegram_chat", "42")
    assert len(first) == 32
    assert ring(f"{KEY_B},{KEY_A}").lookup("telegram_chat", "42") == first
    assert ring().lookup("telegram_user", "42") != first
    assert ring().lookup("telegram_cha", "t42") != first
    assert ring(secret="another secret key entirely").lookup("telegram_chat", "42") != first
    assert ring(lookup=KEY_B).lookup("telegram_chat", "42") != first


def test_with_a_lookup_key_the_secret_key_may_change() -> None:
    one, two = ring(lookup=KEY_B), ring(lookup=KEY_B, secret="another secret key entirely")
    assert one.lookup("email", "a@b") == two.lookup("email", "a@b")
    raw = Keyring.from_settings(KEY_A, base64.urlsafe_b64decode(KEY_B), SECRET)
    assert raw.lookup("email", "a@b") == one.lookup("email", "a@b")


def test_text_that_is_no_valid_unicode_is_looked_up_like_any_other() -> None:
    assert ring().lookup("token", "\ud800") != ring().lookup("token", "")
    assert crypto.digest("\ud800") != crypto.digest("")


def test_signatures_hold_for_their_purpose_only() -> None:
    keyring = ring()
    signature = keyring.sign("callback", b"data")
    assert keyring.verify("callback", b"data", signature)
    for purpose, data, given in [
        ("webhook", b"data", signature),
        ("callback", b"datb", signature),
        ("callback", b"data", signature[:-1]),
        ("callback", b"data", b""),
        ("callback", b"data", keyring.lookup("callback", "data")),
    ]:
        assert not keyring.verify(purpose, data, given)
    assert not ring(secret="another secret key entirely").verify("callback", b"data", signature)


@pytest.mark.parametrize(
    ("keys", "lookup", "secret", "variable"),
    [
        ("", None, SECRET, "ENCRYPTION_KEYS"),
        (" , ", None, SECRET, "ENCRYPTION_KEYS"),
        ("not!base64!at!all-hunter2", None, SECRET, "ENCRYPTION_KEYS"),
        (KEY_A[:20], None, SECRET, "ENCRYPTION_KEYS"),
        (KEY_A + "AAAA", None, SECRET, "ENCRYPTION_KEYS"),
        ("ключ-hunter2", None, SECRET, "ENCRYPTION_KEYS"),
        (f"{KEY_A},hunter2", None, SECRET, r"ENCRYPTION_KEYS \(key 2 of 2\)"),
        (KEY_A, "hunter2", SECRET, "LOOKUP_KEY"),
        (KEY_A, None, "hunter2", "SECRET_KEY"),
    ],
)
def test_a_malformed_key_names_its_variable_and_hides_its_value(
    keys: str, lookup: str | None, secret: str, variable: str
) -> None:
    with pytest.raises(MalformedKey, match=variable) as caught:
        Keyring.from_settings(keys, lookup, secret)
    shown = "".join(traceback.format_exception_only(caught.value)) + str(caught.value.__context__ or "")
    for value in (KEY_A, KEY_A[:20], "hunter2"):
        assert value not in shown


@pytest.mark.parametrize("form", [KEY_B.rstrip("="), f" {KEY_B} ", base64.b64encode(b"\xffB" * 16).decode()])
def test_keys_are_taken_without_padding_and_in_either_alphabet(form: str) -> None:
    assert ring(KEY_B).decrypt_text(ring(form).encrypt("x", **PLACE), **PLACE) == "x"


def test_a_fresh_key_is_usable_and_different_each_time() -> None:
    key = crypto.new_key()
    assert key != crypto.new_key()
    assert ring(key, lookup=key).is_current(ring(key).encrypt("x", **PLACE))


def test_the_repr_shows_no_key() -> None:
    shown = repr(ring(f"{KEY_A},{KEY_B}", lookup=KEY_B))
    for key in (KEY_A, KEY_B, SECRET):
        raw = base64.urlsafe_b64decode(key) if key != SECRET else key.encode()
        for form in (key, raw.hex(), repr(raw)):
            assert form not in shown


def test_digests_are_32_bytes_and_equal_for_text_and_bytes() -> None:
    assert len(crypto.digest("token")) == 32
    assert crypto.digest("token") == crypto.digest(b"token") != crypto.digest("Token")
