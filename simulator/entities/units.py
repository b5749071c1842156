"""Lengths in UTF-16 code units, and the error that parsing raises."""

from __future__ import annotations


class EntityError(Exception):
    """The formatting cannot be parsed; the text is Telegram's reason, without its prefix."""


def utf16_length(text: str) -> int:
    """How many UTF-16 code units the text takes: what Telegram counts."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def byte_offset(text: str, index: int) -> int:
    """The offset in UTF-8 bytes that belongs to an index: what error texts name."""
    return len(text[:index].encode("utf-8", "surrogatepass"))


class Output:
    """The plain text being built, with its length in UTF-16 units kept up to date."""

    __slots__ = ("pieces", "units")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.units = 0

    def add(self, piece: str) -> None:
        """Append a piece of text."""
        self.pieces.append(piece)
        self.units += utf16_length(piece)

    def text(self) -> str:
        """Everything appended so far."""
        return "".join(self.pieces)
