"""How many tokens a text has, without a tokenizer: an estimate that learns from what servers count.

Two bytes a token is more than any language needs with today's tokenizers, so a budget is never exceeded at first. What
a server then counts brings the estimate down, for each model by itself.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

from backend.llm.endpoint import Endpoint
from backend.llm.values import Message

_BYTES_A_TOKEN: Final = 2
_AROUND_A_MESSAGE: Final = 4
"""Tokens that servers add for a message's role."""
_LEAST: Final = 0.25
_MOST: Final = 1.5
_NEWEST: Final = 0.2
"""What one count moves the correction by."""
_ENOUGH: Final = 100
"""Fewer tokens than these teach nothing: what servers add around a question weighs too much."""

_corrections: dict[tuple[str, str], float] = {}
_lock = Lock()


def plain_estimate(text: str) -> int:
    """Half the text's bytes of UTF-8, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)


def estimate(endpoint: Endpoint, text: str) -> int:
    """The tokens of a text for this model, as far as is known."""
    return _corrected(endpoint, plain_estimate(text))


def of_messages(endpoint: Endpoint, messages: tuple[Message, ...]) -> int:
    """The tokens of a whole question for this model, as far as is known."""
    return _corrected(endpoint, _plain(messages))


def learn(endpoint: Endpoint, messages: tuple[Message, ...], counted: int) -> None:
    """Takes in what a server counted for a question."""
    plain = _plain(messages)
    if plain < _ENOUGH or counted <= 0:
        return
    measured = min(max(counted / plain, _LEAST), _MOST)
    with _lock:
        known = _corrections.get(endpoint.name)
        _corrections[endpoint.name] = measured if known is None else known + (measured - known) * _NEWEST


def forget() -> None:
    """Forgets what was learnt."""
    with _lock:
        _corrections.clear()


def _plain(messages: tuple[Message, ...]) -> int:
    return sum(plain_estimate(message.text) + _AROUND_A_MESSAGE for message in messages)


def _corrected(endpoint: Endpoint, plain: int) -> int:
    return -(-int(plain * _corrections.get(endpoint.name, 1.0) * 1000) // 1000)
