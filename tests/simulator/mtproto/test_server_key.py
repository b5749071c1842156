"""The server's key, against what Telethon makes of its public half."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from telethon.crypto import rsa

from simulator.mtproto.server_key import ServerKey


def test_what_telethon_encrypts_is_read_by_the_key_it_names() -> None:
    key = ServerKey()
    rsa.add_key(key.public_pem, old=False)
    encrypted = rsa.encrypt(key.fingerprint, b"the inner data")
    assert encrypted is not None
    assert key.decrypt(encrypted)[20:34] == b"the inner data"


def test_a_saved_key_is_the_same_key() -> None:
    key = ServerKey()
    again = ServerKey(key.private_pem)
    assert (again.fingerprint, again.public_pem) == (key.fingerprint, key.public_pem)


def test_another_kind_of_key_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="not RSA"):
        ServerKey(other)


def test_a_block_of_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match="not encrypted with this key"):
        ServerKey().decrypt(b"\xff" * 256)
