"""What single servers refuse of a request: found out once, remembered for the server and the model.

OpenAI's reasoning models want `max_completion_tokens` and no temperature; older servers know only `max_tokens`; small
ones have no tools.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from backend.llm.endpoint import Endpoint
from backend.llm.values import Question

_REFUSALS: Final = ("unsupported", "not support", "unknown", "unrecognized", "extra", "not permitted", "use '")


@dataclass(frozen=True, slots=True)
class Peculiarities:
    """How requests to one server are written."""

    limit_name: str = "max_tokens"
    takes_temperature: bool = True
    takes_tools: bool = True


_known: dict[tuple[str, str], Peculiarities] = {}
_lock = Lock()


def of(endpoint: Endpoint) -> Peculiarities:
    """How requests to this server are written, as far as is known."""
    return _known.get(endpoint.name, Peculiarities())


def remember(endpoint: Endpoint, how: Peculiarities) -> None:
    """Writes requests to this server so from now on."""
    with _lock:
        _known[endpoint.name] = how


def forget() -> None:
    """Forgets what was found out."""
    with _lock:
        _known.clear()


def body(endpoint: Endpoint, question: Question, how: Peculiarities) -> dict[str, Any]:
    """The request for a question. There is no `response_format`: too many servers do not know it."""
    asked: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": message.role, "content": message.text} for message in question.messages],
        how.limit_name: question.max_tokens,
    }
    if question.temperature is not None and how.takes_temperature:
        asked["temperature"] = question.temperature
    if question.tools and how.takes_tools:
        asked["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in question.tools
        ]
    return asked


def after_refusal(how: Peculiarities, words: str) -> Peculiarities | None:
    """How to write a request that was refused with these words; None where they name nothing that can be changed.

    Each change is made once, so this ends.
    """
    words = words.casefold()
    if not any(word in words for word in _REFUSALS):
        return None
    if how.limit_name == "max_tokens" and "max_tokens" in words:
        return replace(how, limit_name="max_completion_tokens")
    if how.limit_name == "max_completion_tokens" and "max_completion_tokens" in words:
        return replace(how, limit_name="max_tokens")
    if how.takes_temperature and "temperature" in words:
        return replace(how, takes_temperature=False)
    if how.takes_tools and ("tools" in words or "tool use" in words or "function call" in words):
        return replace(how, takes_tools=False)
    return None
