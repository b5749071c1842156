"""Why a file cannot be read at all."""

from __future__ import annotations


class Unreadable(Exception):
    """A file that is refused: `code`, `hint` for a person, and the line where there is one."""

    def __init__(self, code: str, hint: str, line: int | None = None) -> None:
        super().__init__(code, hint, line)
        self.code = code
        self.hint = hint
        self.line = line
