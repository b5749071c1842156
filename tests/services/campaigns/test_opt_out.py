"""Opt-outs: the whole message is such a word, in six languages and the workspace's own."""

from __future__ import annotations

import pytest

from backend.services.campaigns import opt_out


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop.", " Stop! ", "🛑 STOP 🛑", "ＳＴＯＰ", "Unsubscribe", "Please, stop", "don't contact me",
     "수신거부",
     "수신 거부!",
     "그만 보내세요.", "СТОП", "Отписаться!", "не пишите мне", "Darse de baja", "Abmelden", "STOPP!!!", "Arrêt",
     "ARRÊTEZ.", "désabonner", "stop all", "opt-out", "STOP\n",
     "st\u200bop", "\u202estop\u202c", "un\u00adsubscribe", "¡BASTA!", "수신거부\u3002"],
)  # fmt: skip
def test_an_opt_out(text: str) -> None:
    assert opt_out.meaning_of(text) == "opt_out"


@pytest.mark.parametrize("text", ["end", "Cancel.", "QUIT", "No", "no!", "거부", "Baja"])
def test_an_ambiguous_word(text: str) -> None:
    assert opt_out.meaning_of(text) == "ambiguous"


@pytest.mark.parametrize(
    "text",
    ["don't stop", "stop by tomorrow at ten", "no problem", "Non", "yes", "", "👍", "!!!", "where is the bus stop",
     "nо way",
     "거부감이 없어요", "stop " * 40, "x" * 100_000],
)  # fmt: skip
def test_an_ordinary_answer(text: str) -> None:
    assert opt_out.meaning_of(text) is None


def test_the_workspaces_own_words() -> None:
    assert opt_out.meaning_of("Genug jetzt!", lambda: ["genug jetzt"]) == "opt_out"
    assert opt_out.meaning_of("genug", lambda: ["genug jetzt"]) is None
    assert opt_out.meaning_of("no", lambda: ["NO"]) == "opt_out"
