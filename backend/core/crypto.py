"""Encryption at rest, keyed lookups and signatures.

Values are encrypted with AES-256-GCM. The table, the column and the row are authenticated with them, so a
ciphertext copied to another row or column does not open. `ENCRYPTION_KEYS` lists the keys: the first
encrypts, all decrypt; a blob names its key, so that rotation can be stopped and resumed (`is_current`).
Lookups (finding a row by a value that is only stored encrypted) are HMAC-SHA256 under a key of their own,
which never rotates, because every stored hash depends on it.

A blob is: version (1 byte) · key id (4 bytes) · nonce (12 bytes) · ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = 1
KEY_BYTES = 32
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = 1 + _KEY_ID_BYTES
_MIN_SECRET_KEY_CHARS = 8
_LOOKUP_LABEL = b"switchboard lookup v1"


class MalformedKey(ValueError):
    """A key setting cannot be used. The text names the variable and never shows any of its value."""


class DecryptionFailed(Exception):
    """A blob does not open here: altered, moved from another place, or its key is no longer listed."""


def digest(secret: str | bytes) -> bytes:
    """SHA-256 (32 bytes) of a random, high-entropy secret such as a link token. Not for passwords."""
    return hashlib.sha256(_presented(secret)).digest()


def new_key() -> str:
    """A fresh key in the form `ENCRYPTION_KEYS` and `LOOKUP_KEY` take."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode("ascii")


def derived_lookup_key(secret_key: str) -> str:
    """The key of lookups that an installation without LOOKUP_KEY uses, in the form LOOKUP_KEY takes."""
    return base64.urlsafe_b64encode(_derive(secret_key, _LOOKUP_LABEL)).decode("ascii")


class Keyring:
    """All keys of an installation; safe to share between threads. Its repr shows key ids, never keys."""

    def __init__(self, encryption_keys: list[bytes], lookup_key: bytes, signing_key: bytes) -> None:
        """Takes raw 32-byte keys, the encrypting one first. Raises `MalformedKey`."""
        if not encryption_keys:
            raise MalformedKey("ENCRYPTION_KEYS holds no key.")
        self._ciphers: dict[bytes, AESGCM] = {}
        for key in encryption_keys:
            self._ciphers.setdefault(_key_id(key), AESGCM(key))
        self._current_id = _key_id(encryption_keys[0])
        self._current = self._ciphers[self._current_id]
        self._header = bytes([VERSION]) + self._current_id
        self._lookup_key = lookup_key
        self._signing_key = signing_key

    @classmethod
    def from_settings(cls, encryption_keys: str, lookup_key: str | bytes | None, secret_key: str) -> Keyring:
        """Reads `ENCRYPTION_KEYS`, `LOOKUP_KEY` (derived from `SECRET_KEY` when unset) and `SECRET_KEY`.

        Raises `MalformedKey`, which names the variable at fault.
        """
        parts = [part.strip() for part in encryption_keys.split(",")]
        parts = [part for part in parts if part]
        if not parts:
            raise MalformedKey("ENCRYPTION_KEYS is empty: it needs a url-safe base64 key of 32 bytes.")
        keys = [
            _decode_key(part, f"ENCRYPTION_KEYS (key {position} of {len(parts)})")
            for position, part in enumerate(parts, start=1)
        ]
        if len(secret_key) < _MIN_SECRET_KEY_CHARS:
            raise MalformedKey(f"SECRET_KEY needs at least {_MIN_SECRET_KEY_CHARS} characters.")
        if not lookup_key:
            lookup = _derive(secret_key, _LOOKUP_LABEL)
        elif isinstance(lookup_key, bytes) and len(lookup_key) == KEY_BYTES:
            lookup = lookup_key
        else:
            lookup = _decode_key(lookup_key, "LOOKUP_KEY")
        return cls(keys, lookup, _derive(secret_key, b"switchboard signing v1"))

    def __repr__(self) -> str:
        ids = ", ".join(key_id.hex() for key_id in self._ciphers)
        return f"<Keyring encrypting with {self._current_id.hex()} of {ids}>"

    def encrypt(self, plaintext: bytes | str, *, table: str, column: str, row: int | str) -> bytes:
        """Encrypts `plaintext` (text as UTF-8) for exactly this table, column and row, under the first key."""
        nonce = os.urandom(_NONCE_BYTES)
        context = _context(self._header, table, column, row)
        return self._header + nonce + self._current.encrypt(nonce, _as_bytes(plaintext), context)

    def decrypt(self, blob: bytes | memoryview, *, table: str, column: str, row: int | str) -> bytes:
        """Decrypts what `encrypt` made for the same place. Raises `DecryptionFailed`."""
        blob = bytes(blob)
        if len(blob) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or blob[0] != VERSION:
            raise DecryptionFailed(f"{table}.{column}: not an encrypted value of a known version.")
        header = blob[:_HEADER_BYTES]
        cipher = self._ciphers.get(header[1:])
        if cipher is None:
            raise DecryptionFailed(f"{table}.{column}: its key {header[1:].hex()} is not in ENCRYPTION_KEYS.")
        nonce = blob[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, blob[_HEADER_BYTES + _NONCE_BYTES :], _context(header, table, column, row))
        except InvalidTag:
            raise DecryptionFailed(f"{table}.{column}: altered, or sealed for another place.") from None

    def decrypt_text(self, blob: bytes | memoryview, *, table: str, column: str, row: int | str) -> str:
        """`decrypt`, as UTF-8 text. Raises `DecryptionFailed`."""
        try:
            return self.decrypt(blob, table=table, column=column, row=row).decode("utf-8")
        except UnicodeDecodeError:
            # From None: the error would carry the plaintext.
            raise DecryptionFailed(f"{table}.{column}: not text.") from None

    def is_current(self, blob: bytes | memoryview) -> bool:
        """Whether the blob is encrypted under the first key, so that rotation may pass over it."""
        return bytes(blob[:_HEADER_BYTES]) == self._header

    @property
    def current_prefix(self) -> bytes:
        """The first bytes of every current blob: rotation finds its rows by comparing with it in SQL."""
        return self._header

    def lookup(self, kind: str, value: str) -> bytes:
        """Keyed hash (32 bytes) under which a value of this kind is found again; equal input, equal hash."""
        return _keyed_hash(self._lookup_key, kind, _presented(value))

    def sign(self, purpose: str, data: bytes) -> bytes:
        """Signature (32 bytes) of `data`, valid for this purpose only."""
        return _keyed_hash(self._signing_key, purpose, data)

    def verify(self, purpose: str, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is `sign(purpose, data)`; compares in constant time."""
        return hmac.compare_digest(self.sign(purpose, data), bytes(signature))


def _key_id(key: bytes) -> bytes:
    # Hashed with a label, so the id in every blob is not a prefix of a hash of the key used anywhere else.
    return hashlib.sha256(b"switchboard key id v1" + key).digest()[:_KEY_ID_BYTES]


def _decode_key(text: str | bytes, variable: str) -> bytes:
    refusal = MalformedKey(f"{variable} is not url-safe base64 of exactly {KEY_BYTES} bytes.")
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
        # Keys are often pasted without their padding, and made with tools that use the other alphabet.
        raw = raw.strip().rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
        key = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise refusal from None
    if len(key) != KEY_BYTES:
        raise refusal
    return key


def _derive(secret: str, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label).derive(secret.encode("utf-8"))


def _keyed_hash(key: bytes, label: str, data: bytes) -> bytes:
    name = label.encode("utf-8")
    # The length in front keeps ("ab", "c") and ("a", "bc") apart.
    return hmac.digest(key, struct.pack(">H", len(name)) + name + data, "sha256")


def _context(header: bytes, table: str, column: str, row: int | str) -> bytes:
    if row is None or row == "":
        raise ValueError("A value is encrypted for a row: the row's id has to be known first.")
    pieces = [piece.encode("utf-8") for piece in (table, column, str(row))]
    return header + b"".join(struct.pack(">H", len(piece)) + piece for piece in pieces)


def _as_bytes(value: bytes | str) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def _presented(value: bytes | str) -> bytes:
    # What a client presents may hold lone surrogates; it is to be unknown, not an error.
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
