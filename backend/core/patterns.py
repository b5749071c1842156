"""Regular expressions that a stranger may write: anchored, read by RE2, refused before they can cost anything.

The syntax is RE2's, as in Prometheus and Alertmanager: no look-around and no references back. A pattern holds for a
whole value, and its dot for everything but a line feed. The time of a test is at most the size of the program times the
length of the value, whatever either says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

MAX_LENGTH: Final = 1_000
"""Characters of a pattern."""
MAX_SIZE: Final = 2_000
"""Instructions of a compiled pattern."""
MAX_REPEAT: Final = 1_000
"""Of one repetition and of all that are nested in each other, as RE2 has it."""
MALFORMED: Final = "bad_pattern"
TOO_LARGE: Final = "pattern_too_large"
_MEMORY: Final = 1 << 16
"""Bytes that a compiled pattern may take with everything it keeps while it reads."""
_KEPT: Final = 512
_REPEAT: Final = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")


class PatternRefused(ValueError):
    """Not a pattern. `code` is `bad_pattern` or `pattern_too_large`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `size` counts its instructions."""

    size: int
    _compiled: Any

    def matches(self, value: str) -> bool:
        """Whether it holds for the whole value. Others may run meanwhile: the engine works outside the interpreter."""
        return self._compiled.fullmatch(_bytes(value)) is not None

    def steps(self, value: str) -> int:
        """The most instructions that a test of this value carries out; about three nanoseconds each."""
        return self.size * (len(_bytes(value)) + 1)


def compile_pattern(text: str) -> Pattern:
    """The pattern, compiled once for all who ask for it lately. Raises PatternRefused."""
    compiled = _compiled(text) if len(text) <= MAX_LENGTH else TOO_LARGE
    if isinstance(compiled, str):
        raise PatternRefused(compiled)
    return compiled


@lru_cache(maxsize=_KEPT)
def _compiled(text: str) -> Pattern | str:
    # RE2 takes a number beyond its range for plain text, in which nobody would find the mistake.
    for least, most in _REPEAT.findall(text):
        if any(len(number.lstrip("0")) > 4 or int(number) > MAX_REPEAT for number in (least, most) if number):
            return TOO_LARGE
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _MEMORY, False, True
    try:
        compiled = re2.compile(text.encode(), options)
    except UnicodeEncodeError:
        return MALFORMED
    except re2.error as error:
        return TOO_LARGE if b"too large" in error.args[0] or b"repetition size" in error.args[0] else MALFORMED
    return Pattern(compiled.programsize, compiled) if compiled.programsize <= MAX_SIZE else TOO_LARGE


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "replace")
