"""Identifiers, docstrings, comments and documents use the standard terms of the field."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("backend", "benchmarks", "bin", "simulator")
COINED: Final = {
    "door": "webhook_target",
    "wish": "input, preference",
    "hush": "silence",
    "crew": "pool",
    "sealed": "encrypted",
    "express": "fast_path",
    "wire": "connection",
    "visitor": "caller",
    "telling": "notify",
    "saying": "messages",
    "take_up": "reset, resume",
    "look_at": "read, check, apply",
    "standing": "state, status",
    "entrance": "sign_in",
    "hurry": "wake",
    "moot": "obsolete",
    "cooling": "throttled",
    "everybody": "list_processes",
}
"""Words that no identifier has, and what stands for them; also in the plural and with an ending."""
OPAQUE: Final = frozenset({"one", "said", "told", "found", "made", "say", "living"})
"""Names that do not say what they hold or do."""
STEMS: Final = frozenset({"reading", "wording", "reactions"})
"""Names of modules that several services had, each for another thing."""
IN_TEXT: Final = re.compile(
    r"(?i:\b(doors?|wish(es)?|hush(es|ed|ing)?|crews?|sealed|express|wires?|visitors?|telling|saying|entrance"
    r"|tak(e|es|en|ing) up(?! to\b)|look(s|ed|ing)? at|standing|anew|of ours)\b)|\bMOST_"
)
"""The coined words in a sentence."""
API_FIELDS: Final = frozenset({"hushed", "hushing", "living"})
"""Fields of answers that stay for the programs that read them."""

_ENDINGS: Final = re.compile(rf"(?:^|_)({'|'.join(COINED)})(?:s|es|ed|ing)?(?:_|$)")


def modules() -> Iterator[Path]:
    """Every module of the product and its tools, and every script in Python."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".py" or (path.suffix == "" and path.is_file() and _is_script(path)):
                yield path


def _is_script(path: Path) -> bool:
    return re.match(rb"#!.*python", path.read_bytes()[:80]) is not None


def documents() -> Iterator[Path]:
    """Every document, the changelog and the records of decisions too."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def prose_of(document: str) -> str:
    """A document without code, in as many lines: names in it are what programs and people are given."""
    without_blocks = re.sub(r"^```.*?^```", _blank_lines, document, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", without_blocks)


def _blank_lines(block: re.Match[str]) -> str:
    return "\n" * block[0].count("\n")


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that a module gives: of functions, classes, arguments, variables, attributes and aliases."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def texts(source: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The docstrings, also those of constants, and the comments of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def replacement(name: str) -> str | None:
    """What stands for a name that is not a standard term; None where it is one."""
    if name in API_FIELDS:
        return None
    if name.lstrip("_") in OPAQUE:
        return "what it holds or does"
    if name.startswith(("MOST_", "_MOST_")):
        return "MAX_"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    coined = _ENDINGS.search(words)
    return COINED[coined[1]] if coined else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("door", "webhook_target"),
        ("_known_doors", "webhook_target"),
        ("BotStanding", "state, status"),
        ("hushing", None),
        ("is_hushed", "silence"),
        ("take_up", "reset, resume"),
        ("MOST_BYTES", "MAX_"),
        ("at_most_once", None),
        ("outstanding", None),
        ("found", "what it holds or does"),
        ("_found", "what it holds or does"),
        ("found_links", None),
        ("_wires", "connection"),
        ("firewall", None),
    ],
)
def test_the_list_knows_a_word_in_its_forms_and_nothing_else(name: str, expected: str | None) -> None:
    assert replacement(name) == expected


def test_code_in_a_document_is_no_prose() -> None:
    document = "Look at it: `hushed`.\n```sh\nlook at this\n```\nIt takes up to a second, and is taken up.\n"
    assert [match[0] for match in IN_TEXT.finditer(prose_of(document))] == ["Look at", "taken up"]
    assert prose_of(document).count("\n") == document.count("\n")


def test_identifiers_are_standard_terms() -> None:
    coined = []
    for path in modules():
        where = path.relative_to(ROOT)
        names = [(1, path.stem), *identifiers(ast.parse(path.read_text(encoding="utf-8")))]
        coined += [f"{where}:{line} {name}: {better}" for line, name in names if (better := replacement(name))]
        if path.stem in STEMS and path.parent.parent == ROOT / "backend" / "services":
            coined.append(f"{where}: what it holds")
    assert coined == []


def test_docstrings_and_comments_have_no_coined_words() -> None:
    coined = []
    for path in modules():
        source = path.read_text(encoding="utf-8")
        for line, text in texts(source, ast.parse(source)):
            coined += [f"{path.relative_to(ROOT)}:{line} {word[0]}" for word in IN_TEXT.finditer(text)]
    assert coined == []


def test_documents_have_no_coined_words() -> None:
    coined = []
    for path in documents():
        for number, line in enumerate(prose_of(path.read_text(encoding="utf-8")).splitlines(), 1):
            coined += [f"{path.relative_to(ROOT)}:{number} {word[0]}" for word in IN_TEXT.finditer(line)]
    assert coined == []
