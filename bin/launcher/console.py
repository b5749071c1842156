"""The terminal: each line behind the name of the process that wrote it."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterable
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)


class Console:
    """Writes whole lines, so that processes do not mix; `on_closed` is called once when nobody reads any
    more.
    """

    def __init__(self, out: TextIO | None = None, names: Iterable[str] = ()) -> None:
        self._out = out or sys.stdout
        self._colours: dict[str, int] = {}
        self._width = max((len(name) for name in names), default=8)
        self._coloured = self._out.isatty() and not os.environ.get("NO_COLOR")
        self.on_closed: Callable[[], None] | None = None

    def line(self, name: str, text: str) -> None:
        """One line of the process `name`."""
        label = f"{name:<{self._width}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            label = f"\x1b[{colour}m{label}\x1b[0m"
        self._write(f"{label} {text}\n")

    def box(self, lines: Iterable[str]) -> None:
        """Lines with a frame around them."""
        content = list(lines)
        width = max(_columns(line) for line in content)
        rows = [f"│ {line}{' ' * (width - _columns(line))} │\n" for line in content]
        edge = "─" * (width + 2)
        self._write(f"\n┌{edge}┐\n{''.join(rows)}└{edge}┘\n\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except UnicodeEncodeError:
            encoding = self._out.encoding or "ascii"
            self._out.write(text.encode(encoding, errors="replace").decode(encoding))
            self._out.flush()
        except OSError:  # the reader of a pipe or the terminal is gone
            if self.on_closed is not None:
                on_closed, self.on_closed = self.on_closed, None
                on_closed()


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
