"""The neutral rich text of message bodies: a small HTML subset, read without ever failing and cut without
harm.

The subset is `b i u s code pre` and `a` with an http(s) `href` (and their usual synonyms). Whatever is not
exactly such a tag, well-formed, is text: nothing a person wrote is lost because it looked like markup. A text
is a list of runs, each with the styles that hold for it; cutting happens between characters of the runs, so a
tag can neither be cut through nor stay open.

Lengths are UTF-16 code units, as several providers count. Characters are Unicode's extended grapheme
clusters, so that no cut divides a family emoji, a flag, a Hangul syllable or a letter from its accents.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.core.graphemes import clusters

_SYNONYMS = {"strong": "b", "em": "i", "ins": "u", "strike": "s", "del": "s"}
_NAMES = "pre|code|strong|strike|em|ins|del|b|i|u|s|a"
ATTRIBUTE = r"""\s+[a-z_][\w.:-]*\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)"""
"""An attribute of a tag, with the blanks before it, as a regular expression that ignores case."""
_TAG = re.compile(rf"<(/?)({_NAMES})((?:{ATTRIBUTE})*)\s*>", re.IGNORECASE)
_QUOTED_ONLY = re.compile(r"""(?:[^"'=]+=\s*(?:"[^"]*"|'[^']*'))*""")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos|nbsp);")
_NOT_SPACE = re.compile(r"\S")
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")
_DEEPEST = 16
_LONGEST_ADDRESS = 2048
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
# White space, controls, and what Unicode says to draw nothing for (Default_Ignorable_Code_Point); besides the blank
# Braille cell, the blank notehead and the marks around annotations, which are drawn as nothing too.
_VISIBLE = re.compile(
    "[^\\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Style:
    """One tag around a run; `href` only for `a`."""

    name: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of visible text and the styles that hold for it, outermost first."""

    text: str
    styles: tuple[Style, ...] = ()


def storable(text: str) -> str:
    """The text with what neither UTF-8 nor PostgreSQL can hold, lone surrogates and NUL, replaced by U+FFFD.
    Surrogates that form a pair become their character."""
    if not _NOT_STORABLE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "\ufffd")


def has_visible(text: str) -> bool:
    """Whether a reader would see anything of this plain text: not blanks and invisible characters only."""
    return _VISIBLE.search(text) is not None


def utf16_length(text: str) -> int:
    """The number of UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_web_address(url: str) -> bool:
    """Whether this is an absolute http(s) address without blanks or control characters."""
    if any(character <= " " or character == "\x7f" for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def read(text: str) -> list[Run]:
    """The runs of a text in the subset. Unknown tags are text, wrong nesting is mended, open tags end with
    the text; a link to anything but http(s) keeps its words and loses the link."""
    source = storable(text)
    runs: list[Run] = []
    stack: list[Style] = []
    position = 0
    for match, name in _tags(source):
        _append(runs, source[position : match.start()], stack)
        position = match.end()
        if match[1]:
            _close(stack, name)
        elif len(stack) < _DEEPEST:
            stack.append(Style(name, _href(match[3]) if name == "a" else None))
    _append(runs, source[position:], stack)
    return runs


def _tags(source: str) -> list[tuple[re.Match[str], str]]:
    """The well-formed tags with their names: ends without attributes, attributes in quotes, and links with an
    `href`, or at least with an end of their own."""
    tags: list[tuple[re.Match[str], str]] = []
    link_ends = False
    for match in reversed(list(_TAG.finditer(source))):
        name = _SYNONYMS.get(match[2].lower(), match[2].lower())
        if match[1]:
            fine = not match[3]
            link_ends = fine if name == "a" else link_ends
        elif name == "a":
            # Whoever wrote an end meant a link, and forgot its address; without one it is `cp <a> <b>`.
            fine = link_ends or _HREF.search(match[3]) is not None
            link_ends = False
        else:
            fine = not match[3] or _QUOTED_ONLY.fullmatch(match[3]) is not None
        if fine:
            tags.append((match, name))
    return tags[::-1]


def plain(text: str) -> list[Run]:
    """The runs of a text without markup."""
    source = storable(text)
    return [Run(source)] if source else []


def _append(runs: list[Run], source: str, stack: Sequence[Style]) -> None:
    if source:
        styles = tuple(dict.fromkeys(style for style in stack if style.name != "a" or style.href))
        runs.append(Run(storable(_ENTITY.sub(lambda match: html.unescape(match.group()), source)), styles))


def _close(stack: list[Style], name: str) -> None:
    for index in range(len(stack) - 1, -1, -1):
        if stack[index].name == name:
            del stack[index:]
            return


def _href(attributes: str) -> str | None:
    match = _HREF.search(attributes)
    if match is None:
        return None
    url = html.unescape(next(group for group in match.groups() if group is not None)).strip()
    return url if len(url) <= _LONGEST_ADDRESS and is_web_address(url) else None


def visible(runs: Iterable[Run]) -> str:
    """The text alone."""
    return "".join(run.text for run in runs)


def escape(text: str) -> str:
    """Text as it must stand in the markup, also inside an attribute's double quotes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def write(runs: Iterable[Run]) -> str:
    """The markup of the runs: every tag closed, properly nested, opened again where a style goes on."""
    out: list[str] = []
    opened: tuple[Style, ...] = ()
    for run in runs:
        shared = _shared(opened, run.styles)
        out += [f"</{style.name}>" for style in reversed(opened[shared:])]
        out += [_opening(style) for style in run.styles[shared:]]
        out.append(escape(run.text))
        opened = run.styles
    out += [f"</{style.name}>" for style in reversed(opened)]
    return "".join(out)


def count_tags(runs: Iterable[Run]) -> int:
    """How many tags `write` opens."""
    total = 0
    opened: tuple[Style, ...] = ()
    for run in runs:
        total += len(run.styles) - _shared(opened, run.styles)
        opened = run.styles
    return total


def _shared(left: tuple[Style, ...], right: tuple[Style, ...]) -> int:
    count = 0
    for style, other in zip(left, right, strict=False):
        if style != other:
            break
        count += 1
    return count


def _opening(style: Style) -> str:
    return f'<a href="{escape(style.href)}">' if style.href else f"<{style.name}>"


def without_markup(runs: Sequence[Run]) -> str:
    """Readable plain text: a link's address follows its words in brackets where they differ."""
    out: list[str] = []
    for index, run in enumerate(runs):
        out.append(run.text)
        link = link_of(run)
        following = link_of(runs[index + 1]) if index + 1 < len(runs) else None
        if link and link != following:
            words = _words_of_link(runs, index, link)
            if link not in (words, f"http://{words}", f"https://{words}"):
                out.append(f" ({link})")
    return "".join(out)


def link_of(run: Run) -> str | None:
    """The address that a run leads to."""
    return next((style.href for style in run.styles if style.href), None)


def _words_of_link(runs: Sequence[Run], last: int, link: str) -> str:
    first = last
    while first > 0 and link_of(runs[first - 1]) == link:
        first -= 1
    return visible(runs[first : last + 1]).strip()


def take(runs: Sequence[Run], start: int, end: int) -> list[Run]:
    """The runs of the visible characters from `start` up to `end` (counted in code points)."""
    out: list[Run] = []
    position = 0
    for run in runs:
        low, high = max(start - position, 0), min(end - position, len(run.text))
        if low < high:
            out.append(Run(run.text[low:high], run.styles))
        position += len(run.text)
    return out


def split(runs: Sequence[Run], limit: int) -> list[list[Run]]:
    """Parts of at most `limit` UTF-16 units of visible text, none of them blank, all characters but blanks at
    the cuts kept in order. Cuts come, as far as possible: at an empty line; else, in a paragraph longer than a
    part, after a line; else, in a line longer than a part, after a word; else between grapheme clusters; and
    inside one only when it alone is longer than a part."""
    text = visible(runs)
    parts: list[list[Run]] = []
    start = _skip_blank(text, 0)
    while start < len(text):
        end = _cut(text, start, limit)
        stop = start + len(text[start:end].rstrip())
        if stop > start:
            parts.append(take(runs, start, stop))
        start = _skip_blank(text, end) if end < len(text) else end
    return parts


def shorten(text: str, limit: int) -> str:
    """Plain text of at most `limit` UTF-16 units, cut between characters, with an ellipsis where it was
    cut."""
    if utf16_length(text) <= limit:
        return text
    return text[: _fitting(text, 0, limit - 1)].rstrip() + "…"


def _skip_blank(text: str, start: int) -> int:
    """Past the blank lines at a cut; the indentation of the first line with something on it stays."""
    match = _BLANK_LINES.match(text, start)
    position = match.end() if match else start
    return position if _NOT_SPACE.search(text, position) else len(text)


def _cut(text: str, start: int, limit: int) -> int:
    furthest = _fitting(text, start, limit)
    if furthest >= len(text):
        return len(text)
    paragraph = _paragraph_end(text, start, furthest, limit)
    if paragraph is not None:
        return paragraph
    if text[furthest] == "\n":
        return furthest
    line = text.rfind("\n", start, furthest)
    if line > start and text[start:line].strip():
        next_end = text.find("\n", line + 1)
        next_line = text[line + 1 : min(next_end if next_end >= 0 else len(text), line + limit + 2)]
        if utf16_length(next_line) <= limit:
            return line
    if text[furthest].isspace():
        return furthest
    # Not after the blanks that it begins with.
    words = furthest - len(text[start:furthest].lstrip())
    for position in range(furthest - 1, words, -1):
        if text[position].isspace():
            return position + 1
    return furthest


def _paragraph_end(text: str, start: int, furthest: int, limit: int) -> int | None:
    """The last empty line up to `furthest` behind which a paragraph stands that fits into a part; None where
    there is none, so that a paragraph is only cut where it is longer than a part."""
    end = text.rfind("\n\n", start, furthest + 2)
    if end <= start or not text[start:end].strip():
        return None
    following = _skip_blank(text, end)
    next_end = text.find("\n\n", following, following + limit + 2)
    stop = next_end if next_end >= 0 else min(len(text), following + limit + 1)
    return end if utf16_length(text[following:stop]) <= limit else None


def _fitting(text: str, start: int, limit: int) -> int:
    """The furthest end of whole clusters from `start` that holds at most `limit` units; at least one code
    point."""
    window = text[start : start + limit + 1]
    if window.isascii() and "\r" not in window:
        # Each character is a cluster and a unit of its own.
        return min(start + max(limit, 1), len(text))
    units = 0
    end = start
    for cluster in clusters(text, start):
        units += utf16_length(cluster)
        if units > limit:
            break
        end += len(cluster)
    if end > start:
        return end
    units = 0
    for end in range(start, len(text)):
        units += utf16_length(text[end])
        if units > limit:
            return max(end, start + 1)
    return len(text)
