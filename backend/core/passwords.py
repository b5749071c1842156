"""Passwords: Argon2id, one price for every attempt.

The default parameters (46 MiB, two passes, one lane) are OWASP's first choice with one pass more; a check
takes some 80 ms of one core, and its memory once for each that runs at a time: all go through the process's
`hash_queue`, which may refuse. Stored hashes carry their own
parameters, so they can be raised here at any time: `needs_rehash` then says whom to rehash at the next
login.

Passwords are normalised (NFKC) before hashing: Korean typed on macOS arrives decomposed, elsewhere composed,
and both have to be the same password.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from backend.core import hash_queue, password_policy
from backend.core.errors import Invalid

MEMORY_KIB: Final = 46 * 1024
PASSES: Final = 2
QUEUES: Final = 1
MIN_CHARACTERS: Final = 8
MAX_BYTES: Final = 1024


class Passwords:
    """Hashes and checks with one set of parameters; safe to share between threads."""

    def __init__(self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, lanes: int = QUEUES) -> None:
        self._hasher = PasswordHasher(
            time_cost=passes,
            memory_cost=memory_kib,
            parallelism=lanes,
            hash_len=32,
            salt_len=16,
            type=Type.ID,
        )
        self._dummy = self._hasher.hash("a password nobody has")

    def hash(self, password: str) -> str:
        """The text to store. Raises `Invalid` for a password outside the length limits or not valid text."""
        return self._hasher.hash(_accepted(password))

    def verify(self, stored: str, password: str) -> bool:
        """Whether `password` is the one behind `stored`; never raises for what a person can type."""
        presented = _presented(password)
        if presented is None:
            self.verify_dummy("")
            return False
        try:
            return self._hasher.verify(stored, presented)
        except (VerificationError, InvalidHashError):
            return False

    def verify_dummy(self, password: str) -> None:
        """As much work as `verify`, for an account that does not exist or has no password."""
        try:
            self._hasher.verify(self._dummy, _presented(password) or b"")
        except VerificationError:
            return

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)


def _normalized(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8")


def _accepted(password: str) -> bytes:
    try:
        raw = _normalized(password)
    except UnicodeEncodeError:
        # From None: the original carries the password.
        raise Invalid("password_invalid", "The password holds characters that are not valid text.") from None
    if len(raw) > MAX_BYTES:
        raise Invalid("password_too_long", f"A password has at most {MAX_BYTES} bytes.")
    if len(unicodedata.normalize("NFKC", password)) < MIN_CHARACTERS:
        raise Invalid("password_too_short", f"A password needs at least {MIN_CHARACTERS} characters.")
    return raw


def _presented(password: str) -> bytes | None:
    # A huge password must not buy work in proportion to its length: refused before it is normalised.
    if len(password) > MAX_BYTES:
        return None
    try:
        return _normalized(password)
    except UnicodeEncodeError:
        return None


_current: Passwords | None = None
_making: Final = threading.Lock()


def _default() -> Passwords:
    # Made at first use: a process that never checks a password pays nothing. It costs a hash, so once for all threads.
    global _current
    with _making:
        if _current is None:
            _current = Passwords()
        return _current


def use(passwords: Passwords | None) -> None:
    """Makes these the parameters of this process; None goes back to the default. For tests."""
    global _current
    _current = passwords


def check(password: str, known: Iterable[str] = ()) -> None:
    """Raises `Invalid` for a password that cannot be stored, or that is too easily guessed; costs no hash.

    `known` is what others know of the account: see `password_policy`.
    """
    _accepted(password)
    password_policy.refuse_weak(password, known)


def check_queue(caller: str) -> None:
    """See `HashQueue.check`."""
    hash_queue.current().check(caller)


def hash(password: str, *, caller: str | None = None) -> str:
    """See `Passwords.hash`, and `HashQueue.place` for what else it raises."""
    with hash_queue.current().place(caller):
        return _default().hash(password)


def verify(stored: str | None, password: str, *, caller: str | None = None, preferred: bool = False) -> bool:
    """See `Passwords.verify`, and `HashQueue.place` for what it raises; None, no password, costs as much."""
    with hash_queue.current().place(caller, preferred=preferred):
        subject = _default()
        if stored is None:
            subject.verify_dummy(password)
            return False
        return subject.verify(stored, password)


def verify_dummy(password: str) -> None:
    """See `Passwords.verify_dummy`."""
    verify(None, password)


def needs_rehash(stored: str) -> bool:
    """See `Passwords.needs_rehash`."""
    return _default().needs_rehash(stored)
