"""Whether an answer asks to hear nothing more: the whole message is such a word or phrase. Pure.

Case, punctuation, emoji and spaces around do not count. Words that may mean something else stop the campaign for the
person, and leave the rest to the operator.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from typing import Final, Literal

Meaning = Literal["opt_out", "ambiguous"]

MAX_LENGTH: Final = 80

WORDS: Final = {
    "en": "stop, stopall, stop all, unsubscribe, unsubscribe me, opt out, optout, revoke, remove me, please stop,"
    " stop messaging me, do not contact me, dont contact me, leave me alone, no more messages",
    "ko": "수신거부, 수신 거부, 그만, 그만 보내세요, 그만보내세요, 연락하지 마세요, 연락하지마세요, 차단, 해지,"
    " 구독취소, 구독 취소",
    "ru": "стоп, отписаться, отпишите, отпишите меня, отписка, не пишите, не пишите мне, больше не пишите",
    "es": "basta, darse de baja, dar de baja, darme de baja, cancelar suscripción, no me escribas,"
    " no me escriban, parar",
    "de": "stopp, abmelden, abbestellen, austragen, keine nachrichten mehr, nicht mehr schreiben",
    "fr": "arret, arrêt, arrêtez, désinscription, désabonner, me désabonner, se désabonner, ne plus recevoir",
}
"""By language, with commas between."""
AMBIGUOUS: Final = ("end", "cancel", "quit", "no", "거부", "baja")


def no_words() -> Collection[str]:
    """A workspace without words of its own."""
    return ()


def meaning_of(text: str, own_words: Callable[[], Collection[str]] = no_words) -> Meaning | None:
    """What a message says about hearing more; None for an ordinary answer. `own_words` gives the workspace's, and is
    asked only for what is as short as they are."""
    if len(text) > MAX_LENGTH * 4:
        return None
    normalized = normal(text)
    if not normalized or len(normalized) > MAX_LENGTH:
        return None
    if normalized in _OPT_OUT or normalized in {normal(word) for word in own_words()}:
        return "opt_out"
    return "ambiguous" if normalized in _AMBIGUOUS else None


def normal(text: str) -> str:
    """The text by which words are compared: NFKC, folded, letters and digits with single spaces between."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char if _is_letter(char) else "" if _is_unseen(char) else " " for char in folded)
    return " ".join(kept.split())


_APOSTROPHES: Final = "'’ʼ`"


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM" and not 0xFE00 <= ord(char) <= 0xFE0F


def _is_unseen(char: str) -> bool:
    """Whether a character stands within a word without parting it: an apostrophe, a joiner, a mark of direction."""
    return char in _APOSTROPHES or unicodedata.category(char) == "Cf"


_OPT_OUT: Final = frozenset(normal(word) for words in WORDS.values() for word in words.split(","))
_AMBIGUOUS: Final = frozenset(normal(word) for word in AMBIGUOUS)
