"""Encrypted columns: an attribute that reads and writes plain text while its column holds ciphertext.

The ciphertext is bound to table, column and row, so a value copied to another row does not open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, overload

from backend.core import config
from backend.core.crypto import Keyring
from backend.core.database import next_id

_keyring: tuple[int, Keyring] | None = None
Value = TypeVar("Value", str, str | None)


def keyring() -> Keyring:
    """The keys of this process's settings."""
    global _keyring
    settings = config.get()
    if _keyring is None or _keyring[0] != id(settings):
        ring = Keyring.from_settings(settings.encryption_keys, settings.lookup_key or None, settings.secret_key)
        _keyring = (id(settings), ring)
    return _keyring[1]


class Encrypted(Generic[Value]):
    """`token = Encrypted("token_encrypted")` on a model: assignment encrypts, reading decrypts.

    Assigning to an object without an id takes one from the table's sequence first.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    @overload
    def __get__(self, item: None, owner: type[Any]) -> Encrypted[Value]: ...
    @overload
    def __get__(self, item: object, owner: type[Any]) -> Value: ...
    def __get__(self, item: Any, owner: type[Any]) -> Any:
        if item is None:
            return self
        blob = getattr(item, self.column)
        if blob is None:
            return None
        return keyring().decrypt_text(blob, table=item.__tablename__, column=self.column, row=str(item.id))

    def __set__(self, item: Any, value: Value) -> None:
        if value is None:
            setattr(item, self.column, None)
            return
        if item.id is None:
            item.id = next_id(item.__tablename__)
        blob = keyring().encrypt(value, table=item.__tablename__, column=self.column, row=str(item.id))
        setattr(item, self.column, blob)


class EncryptedJson:
    """`target = EncryptedJson("target_encrypted", plain="target_plain")`: a JSON object that used to stand in `plain`.

    What stands there still, or was written there by the release before this one, counts; the first assignment moves
    it. Reading gives a new object each time: changing it changes nothing.
    """

    def __init__(self, column: str, *, plain: str, empty: dict[str, Any] | None = None) -> None:
        self.column = column
        self.plain = plain
        self._empty = empty

    @overload
    def __get__(self, item: None, owner: type[Any]) -> EncryptedJson: ...
    @overload
    def __get__(self, item: object, owner: type[Any]) -> dict[str, Any]: ...
    def __get__(self, item: Any, owner: type[Any]) -> Any:
        if item is None:
            return self
        if plain := getattr(item, self.plain):
            return dict(plain)
        blob = getattr(item, self.column)
        if blob is None:
            return {}
        opened = keyring().decrypt_text(blob, table=item.__tablename__, column=self.column, row=str(item.id))
        return json.loads(opened)

    def __set__(self, item: Any, value: Mapping[str, Any]) -> None:
        setattr(item, self.plain, self._empty if self._empty is None else dict(self._empty))
        if not value:
            setattr(item, self.column, None)
            return
        if item.id is None:
            item.id = next_id(item.__tablename__)
        setattr(item, self.column, encrypt_json(value, item.__tablename__, self.column, item.id))


def encrypt_json(value: Any, table: str, column: str, row: int) -> bytes:
    """A JSON value as the ciphertext of one column of one row."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return keyring().encrypt(text, table=table, column=column, row=str(row))
