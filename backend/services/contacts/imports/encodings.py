"""In which encoding a text file is: by its mark, by being UTF-8, by known column names, by a library's judgement."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import BinaryIO, Final

import charset_normalizer

from backend.services.contacts.imports.faults import Unreadable

NAMES: Final = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949", "cp932", "gb18030", "big5", "cp1252",
    "cp1251", "cp1250", "cp1254", "iso-8859-1", "iso-8859-15", "koi8-r", "mac-roman", "euc-jp",
)  # fmt: skip
"""What a person may choose."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES: Final = ("cp949", "cp932", "gb18030", "big5", "cp1252", "cp1251", "cp1250")
_LATIN: Final = frozenset({"cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "cp437", "cp850", "mac_roman", "latin_1"})
_TYPOGRAPHY: Final = frozenset("“”‘’„‚–—…€·•«»°§®™©\xa0")
_SAMPLE: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024

Score = Callable[[str], int]
"""How many column names with other letters than a to z a decoded beginning shows."""


def detect(stream: BinaryIO, score: Score) -> str:
    """The encoding of a text file; the stream is left at its start. Raises Unreadable for what is no text."""
    stream.seek(0)
    head = stream.read(_SAMPLE)
    stream.seek(0)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _without_mark(head)
    if _is_utf8(stream):
        return "utf-8"
    return _legacy(head[: head.rfind(b"\n") + 1] or head, score)


def _without_mark(head: bytes) -> str:
    """UTF-16 without a mark: every other byte of ASCII is 0."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    for zeros, name in ((odd, "utf-16-le"), (even, "utf-16-be")):
        if zeros > len(head) // 8 and min(even, odd) * 8 < max(even, odd):
            return name
    raise Unreadable("import_unreadable", "This is no text: export the contacts as CSV, XLSX or vCard.")


def _is_utf8(stream: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


def _legacy(sample: bytes, score: Score) -> str:
    readable: dict[str, int] = {}
    for name in _CANDIDATES:
        try:
            readable[name] = score(sample.decode(name))
        except UnicodeDecodeError:
            continue
    best = max(readable, key=lambda name: readable[name], default=None)
    if best is not None and readable[best] > 0:
        return best
    if "cp949" in readable and _is_hangul(sample):
        return "cp949"
    judged = charset_normalizer.from_bytes(sample, cp_isolation=list(readable) or None).best()
    if judged is None or judged.encoding not in {*NAMES, *readable}:
        return "cp1252"
    # A few letters with accents do not tell the Latin encodings apart: then it is the commonest.
    return "cp1252" if judged.encoding in _LATIN and _is_western(sample) else str(judged.encoding)


def _is_hangul(sample: bytes) -> bool:
    """Whether nearly everything beyond ASCII is a common syllable of Korean."""
    foreign = [char for char in sample.decode("euc_kr", "replace") if not char.isascii()]
    return sum("가" <= char <= "힣" for char in foreign) * 10 > len(foreign) * 9


def _is_western(sample: bytes) -> bool:
    """Whether everything beyond ASCII is a letter of Western Europe, or a mark of typography, in cp1252."""
    foreign = {char for char in sample.decode("cp1252", "replace") if not char.isascii()}
    return all((char.isalpha() and char not in "ªº") or char in _TYPOGRAPHY for char in foreign)
