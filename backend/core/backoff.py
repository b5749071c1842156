"""The pause before another try: it grows with the tries up to a bound, and rows that failed together spread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zlib import crc32

JITTER: Final = 0.2
"""The share of a pause by which it is shortened at most."""
_MAX_EXPONENT: Final = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds: `first`, then `factor` times the one before, up to `longest`."""

    first: float
    longest: float
    factor: float = 2.0

    def seconds(self, tries: int, key: int | str | None = None) -> float:
        """The pause after so many tries, in seconds; never longer than the plain one.

        With a `key`, the row's id, it is up to a fifth shorter: by the same share for the same row and number of tries.
        """
        exponent = min(max(tries - 1, 0), _MAX_EXPONENT)
        plain = min(self.longest, self.first * self.factor**exponent)
        return plain if key is None else plain * (1.0 - JITTER * share(key, tries))

    def wait(self, tries: int, key: int | str | None = None) -> timedelta:
        """The same as a duration."""
        return timedelta(seconds=self.seconds(tries, key))


def share(key: int | str, tries: int) -> float:
    """A number from 0 to below 1, evenly spread over keys and tries, and always the same for the same ones."""
    return crc32(f"{key}:{tries}".encode()) / 2**32
