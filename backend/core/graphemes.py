"""Characters as people see them (Unicode's extended grapheme clusters), in time that grows with the text and no faster.

The engine behind `\\X` looks back over what stands before a place, so that a row of flags costs the square of its
length. It only ever gets a window here, which begins where a cluster begins; nothing before can change what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import regex

WINDOW: Final = 128
"""Code points. A cluster that is longer (nobody's letter or emoji is) is divided."""
_CLUSTER: Final = regex.compile(r"\X")


def clusters(text: str, start: int = 0) -> Iterator[str]:
    """The clusters from `start` on, which has to be a cluster's beginning."""
    while start < len(text):
        chunk = text[start : start + WINDOW]
        pieces = list(chunk) if chunk.isascii() and "\r" not in chunk else _divide(chunk)
        if start + len(chunk) < len(text) and len(pieces) > 1:
            # What follows may belong to the last one.
            pieces.pop()
        for cluster in pieces:
            start += len(cluster)
            yield cluster


def _divide(chunk: str) -> list[str]:
    return _CLUSTER.findall(chunk)
