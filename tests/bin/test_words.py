"""Identifiers, docstrings and comments use the standard terms of the field, in the folders that are done."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

BACKEND: Final = Path(__file__).resolve().parents[2] / "backend"
FOLDERS: Final = (
    "asgi",
    "channels",
    "commands",
    "core",
    "workers",
    "services/automation_rules",
    "services/bots",
    "services/contacts",
    "services/conversations",
    "services/daily_summaries",
    "services/delivery",
    "services/dispatch",
    "services/host_api",
    "services/intake",
    "services/linking",
    "services/live",
    "services/mail",
    "services/notifications",
    "services/outgoing_webhooks",
    "services/posts",
    "services/scheduled_messages",
    "services/scheduling",
    "services/senders",
    "services/texts",
)
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
OPAQUE: Final = frozenset({"one", "said", "told", "found", "made", "say"})
"""Names that do not say what they hold or do."""
IN_TEXT: Final = re.compile(
    r"(?i:\b(doors?|wish(es)?|hush(es|ed|ing)?|crews?|sealed|express|wires?|visitors?|telling|saying|entrance"
    r"|tak(e|es|en|ing) up|look(s|ed|ing)? at|standing)\b)|\bMOST_"
)
"""The coined words in a sentence."""
API_FIELDS: Final = frozenset({"hushed", "hushing"})
"""Fields of answers that stay for the programs that read them."""

_ENDINGS: Final = re.compile(rf"(?:^|_)({'|'.join(COINED)})(?:s|es|ed|ing)?(?:_|$)")


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((BACKEND / folder).rglob("*.py"))


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
    if name in OPAQUE:
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
        ("found_links", None),
        ("_wires", "connection"),
        ("firewall", None),
    ],
)
def test_the_list_knows_a_word_in_its_forms_and_nothing_else(name: str, expected: str | None) -> None:
    assert replacement(name) == expected


def test_every_folder_of_the_list_is_there() -> None:
    assert [folder for folder in FOLDERS if not (BACKEND / folder).is_dir()] == []


def test_identifiers_are_standard_terms() -> None:
    coined = []
    for path in modules():
        where = path.relative_to(BACKEND)
        names = [(1, path.stem), *identifiers(ast.parse(path.read_text(encoding="utf-8")))]
        coined += [f"{where}:{line} {name}: {better}" for line, name in names if (better := replacement(name))]
    assert coined == []


def test_docstrings_and_comments_have_no_coined_words() -> None:
    coined = []
    for path in modules():
        source = path.read_text(encoding="utf-8")
        for line, text in texts(source, ast.parse(source)):
            coined += [f"{path.relative_to(BACKEND)}:{line} {word[0]}" for word in IN_TEXT.finditer(text)]
    assert coined == []
