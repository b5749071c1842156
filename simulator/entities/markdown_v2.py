"""parse_mode MarkdownV2, after the parser in TDLib: nesting, reserved characters, quotations."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.links import emoji_or_time, link_entity
from simulator.entities.units import EntityError, Output, byte_offset

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
KINDS = {
    "Bold": "bold",
    "Italic": "italic",
    "Underline": "underline",
    "Strikethrough": "strikethrough",
    "Spoiler": "spoiler",
    "Code": "code",
    "Pre": "pre",
    "PreCode": "pre",
    "BlockQuote": "blockquote",
}
MARKS = {"Bold": "*", "Strikethrough": "~", "Code": "`", "Pre": "```", "PreCode": "```", "Spoiler": "||"}
MARKS |= {"Underline": "__", "TextUrl": "]", "CustomEmoji": "]"}
VERBATIM = frozenset({"Code", "Pre", "PreCode"})

_LANGUAGE = re.compile(r"[^ \t\r\n\0\v`]+(?=[ \t\r\n\0\v])")
_LINE_END = re.compile(r"\r\n|\n\r|\r|\n")


class _Open:
    """An entity whose end has not come. `begin` is where its mark stands in the source."""

    __slots__ = ("argument", "begin", "kind", "offset", "piece")

    def __init__(self, kind: str, argument: str, offset: int, begin: int, piece: int) -> None:
        self.kind = kind
        self.argument = argument
        self.offset = offset
        self.begin = begin
        self.piece = piece


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.output = Output()
        self.entities: list[dict[str, Any]] = []
        self.opened: list[_Open] = []
        self.position = 0
        self.quoted = False
        self.line_start = True
        """Nothing but marks and \\r has come since the line began: a quotation may begin here."""

    def run(self) -> tuple[str, list[dict[str, Any]]]:
        while self.position < len(self.source):
            self._step(self.source[self.position])
        if self.quoted:
            self._end_quote()
        if self.opened:
            raise self._unclosed()
        return self.output.text(), self.entities

    def _step(self, character: str) -> None:
        inside = self.opened[-1].kind if self.opened else ""
        following = self.source[self.position + 1 : self.position + 2]
        if character == "\\" and following and "\0" < following <= "\x7e":
            self._add(following, 2)
        elif inside in VERBATIM:
            if self._at(MARKS[inside]):
                self._close(self.opened.pop())
            elif character == "`":
                self._open(character)
            else:
                self._add(character)
        elif character == "\n" and self.quoted:
            self._line_end(following)
        elif character not in RESERVED:
            self._add(character)
        elif inside and self._ends(inside):
            self._close(self.opened.pop())
        else:
            self._open(character)

    def _add(self, character: str, width: int = 1) -> None:
        self.output.add(character)
        self.position += width
        self.line_start = character == "\n" or (self.line_start and character == "\r")

    # ---- quotations

    def _line_end(self, following: str) -> None:
        """A line of a quotation ends: the next one goes on with `>`, or the quotation ends too."""
        if following == ">":
            self._add("\n", 2)
            self.line_start = False
        else:
            self._end_quote("\n")

    def _end_quote(self, line_end: str = "") -> None:
        """The quotation ends before the line's end, which belongs to it. `||` just before makes it one that
        can be expanded.
        """
        kind = "blockquote"
        last = self.opened[-1]
        if last.kind == "Spoiler" and self.source[last.begin : self.position] in ("||", "||\r"):
            self.opened.pop()
            kind = "expandable_blockquote"
        if self.opened[-1].kind != "BlockQuote":
            raise self._unclosed()
        quote = self.opened.pop()
        self.quoted = False
        if line_end:
            self._add(line_end)
        length = self.output.units - quote.offset
        if length:
            self.entities.append({"offset": quote.offset, "length": length, "type": kind})

    def _unclosed(self) -> EntityError:
        last = self.opened[-1]
        where = byte_offset(self.source, last.begin)
        return EntityError(f"Can't find end of {last.kind} entity at byte offset {where}")

    # ---- marks

    def _ends(self, kind: str) -> bool:
        if kind == "BlockQuote":
            return False
        if kind == "Italic":
            return self._at("_") and not self._at("__")
        return self._at(MARKS[kind])

    def _at(self, mark: str) -> bool:
        return self.source.startswith(mark, self.position)

    def _open(self, character: str) -> None:
        begin, kind, argument, width = self.position, "", "", 1
        if character == "_":
            kind, width = ("Underline", 2) if self._at("__") else ("Italic", 1)
        elif character == "*":
            kind = "Bold"
        elif character == "~":
            kind = "Strikethrough"
        elif character == "|" and self._at("||"):
            kind, width = "Spoiler", 2
        elif character == "[":
            kind = "TextUrl"
        elif character == "!" and self._at("!["):
            kind, width = "CustomEmoji", 2
        elif character == ">" and self.line_start and not self.quoted:
            kind = "BlockQuote"
            self.quoted = True
        elif character == "`":
            kind, argument, width = self._code()
        else:
            raise EntityError(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")
        self.opened.append(_Open(kind, argument, self.output.units, begin, len(self.output.pieces)))
        self.position += width

    def _code(self) -> tuple[str, str, int]:
        if not self._at("```"):
            return "Code", "", 1
        width, kind, argument = 3, "Pre", ""
        language = _LANGUAGE.match(self.source, self.position + 3)
        if language:
            kind, argument = "PreCode", language.group()
            width += len(argument)
        if line_end := _LINE_END.match(self.source, self.position + width):
            width += len(line_end.group())
        return kind, argument, width

    def _close(self, entity: _Open) -> None:
        self.position += 1 if entity.kind == "Italic" else len(MARKS[entity.kind])
        length = self.output.units - entity.offset
        if entity.kind == "TextUrl":
            shown = "".join(self.output.pieces[entity.piece :])
            closed = link_entity(self._address() if self._at("(") else shown, entity.offset, length)
        elif entity.kind == "CustomEmoji":
            if not self._at("("):
                raise EntityError("The entity must contain a tg://emoji or tg://time URL")
            closed = emoji_or_time(self._address(), entity.offset, length)
        else:
            closed = {"offset": entity.offset, "length": length, "type": KINDS[entity.kind]}
            if entity.argument:
                closed["language"] = entity.argument
        if closed is not None and length:
            self.entities.append(closed)

    def _address(self) -> str:
        self.position += 1
        begin = self.position
        pieces = []
        while self.position < len(self.source) and self.source[self.position] != ")":
            following = self.source[self.position + 1 : self.position + 2]
            if self._at("\\") and following and "\0" < following <= "\x7e":
                self.position += 1
            pieces.append(self.source[self.position])
            self.position += 1
        if self.position >= len(self.source):
            raise EntityError(f"Can't find end of a URL at byte offset {byte_offset(self.source, begin)}")
        self.position += 1
        return "".join(pieces)


def parse_markdown_v2(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities. Raises EntityError for an unescaped reserved character or an entity without an
    end.
    """
    return _Parser(source).run()
