"""Why a message waits or was not sent is said in words, for each code that the documentation names."""

from __future__ import annotations

import re

import pytest

from backend.core import i18n
from backend.services import delivery
from backend.services.delivery import gate
from tests.test_docs import ROOT

PAGE = (ROOT / "docs" / "message-handling.md").read_text(encoding="utf-8")
SECTIONS = ("Why a message waits", "Why a message failed", "Why a message was canceled")


def codes() -> list[str]:
    """The codes of a message's reasons, as the documentation lists them."""
    listed = [PAGE.split(f"## {title}\n")[1].split("\n## ")[0] for title in SECTIONS]
    cells = [cell for section in listed for cell in re.findall(r"^\| (`[a-z_]+`[^|]*)\|", section, re.MULTILINE)]
    return [code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)]


def test_each_code_of_the_documentation_has_words():
    assert len(codes()) > 80
    assert [code for code in codes() if f"delivery.reason.{code}" not in i18n.catalog("en")] == []


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_words_by_code_and_language(locale):
    words = {code: delivery.explain_code(code, locale, waits=True) for code in codes()}
    assert len(set(words.values())) > 80
    assert all(words.values())
    assert delivery.explain_code(None, locale, waits=True) is None


def test_a_code_without_words_of_its_own_is_named():
    assert delivery.explain_code("x_y", "en", waits=True) == "It waits (x_y)."
    assert delivery.explain_code("x_y", "en", waits=False) == "It was not sent (x_y)."


def test_what_the_gate_says_comes_before_the_code():
    blocked = gate.Verdict(gate.BLOCKED, "kicked")
    assert delivery.explain_code("kicked", "en", waits=True, verdict=blocked) == blocked.explain("en")
    assert delivery.explain_code("queued", "en", waits=True, verdict=blocked) == "It is next."
