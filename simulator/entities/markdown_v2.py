"""parse_mode MarkdownV2, after the parser in TDLib: nesting, reserved characters, quotes."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.html import link_address
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
    "TextUrl": "text_link",
    "CustomEmoji": "custom_emoji",
    "BlockQuote": "blockquote",
}
MARKS = {"Bold": "*", "Strikethrough": "~", "Code": "`", "Pre": "```", "PreCode": "```", "Spoiler": "||"}
MARKS |= {"Underline": "__", "TextUrl": "]", "CustomEmoji": "]"}

_LANGUAGE = re.compile(r"[^\s`]+(?=\s)")


class _Open:
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

    def run(self) -> tuple[str, list[dict[str, Any]]]:
        source = self.source
        while self.position < len(source):
            character = source[self.position]
            if self._line_start(character):
                continue
            following = source[self.position + 1 : self.position + 2]
            if character == "\\" and following and "\0" < following <= "\x7e":
                self.output.add(following)
                self.position += 2
                continue
            inside = self.opened[-1].kind if self.opened else ""
            special = character == "`" if inside in ("Code", "Pre", "PreCode") else character in RESERVED
            if not special:
                self.output.add(character)
                self.position += 1
            elif inside and self._ends(inside):
                self._close(self.opened.pop())
            else:
                self._open(character)
        if self.opened and self.opened[-1].kind == "BlockQuote":
            self._close_quote()
        if self.opened:
            last = self.opened[-1]
            where = byte_offset(source, last.begin)
            raise EntityError(f"Can't find end of {last.kind} entity at byte offset {where}")
        return self.output.text(), self.entities

    def _line_start(self, character: str) -> bool:
        """Quotes: `>` at the start of a line goes on or begins; a line without it ends the quote."""
        at_start = self.position == 0 or self.source[self.position - 1] == "\n"
        if not at_start or (self.opened and self.opened[-1].kind in ("Code", "Pre", "PreCode")):
            return False
        if character == ">":
            if not self.quoted:
                self.quoted = True
                self.opened.insert(
                    0, _Open("BlockQuote", "", self.output.units, self.position, len(self.output.pieces))
                )
            self.position += 1
            return True
        if self.quoted:
            self._close_quote()
        return False

    def _close_quote(self) -> None:
        if self.opened[-1].kind != "BlockQuote":
            last = self.opened[-1]
            where = byte_offset(self.source, last.begin)
            raise EntityError(f"Can't find end of {last.kind} entity at byte offset {where}")
        quote = self.opened.pop()
        self.quoted = False
        if self.output.pieces and self.output.pieces[-1] == "\n" and self.position < len(self.source):
            self._emit(quote, self.output.units - 1 - quote.offset, "")
        else:
            self._emit(quote, self.output.units - quote.offset, "")

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
        if self.source.startswith("\n", self.position + width):
            width += 1
        return kind, argument, width

    def _close(self, entity: _Open) -> None:
        self.position += 1 if entity.kind == "Italic" else len(MARKS[entity.kind])
        address = ""
        if entity.kind in ("TextUrl", "CustomEmoji"):
            address = "".join(self.output.pieces[entity.piece :])
            if self._at("("):
                address = self._address()
        self._emit(entity, self.output.units - entity.offset, address)

    def _address(self) -> str:
        begin = self.position
        self.position += 1
        pieces = []
        while self.position < len(self.source) and self.source[self.position] != ")":
            if self._at("\\") and self.position + 1 < len(self.source):
                self.position += 1
            pieces.append(self.source[self.position])
            self.position += 1
        if self.position >= len(self.source):
            raise EntityError(f"Can't find end of a URL at byte offset {byte_offset(self.source, begin)}")
        self.position += 1
        return "".join(pieces)

    def _emit(self, entity: _Open, length: int, address: str) -> None:
        if length <= 0:
            return
        found: dict[str, Any] = {"offset": entity.offset, "length": length, "type": KINDS[entity.kind]}
        if entity.kind == "PreCode":
            found["language"] = entity.argument
        elif entity.kind == "TextUrl":
            found["url"] = link_address(address)
            if not found["url"] or found["url"].startswith("tg://user?id="):
                return
        elif entity.kind == "CustomEmoji":
            found["custom_emoji_id"] = address.rpartition("id=")[2]
        self.entities.append(found)


def parse_markdown_v2(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities. Raises EntityError for an unescaped reserved character or an entity without an
    end.
    """
    return _Parser(source).run()
