"""What a model is asked and what it answers, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation with a model."""

    role: Role
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked. `max_tokens` bounds its answer; `temperature` is left to the server where it is None."""

    messages: tuple[Message, ...] = field(repr=False)
    tools: tuple[Tool, ...] = ()
    max_tokens: int = 600
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function that the model wants called. `arguments` is None where they were no JSON object."""

    name: str
    arguments: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that were read and written. `is_estimated`: the server did not count them."""

    prompt: int
    answer: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered: a text, calls, or both. `was_cut`: it ended at `max_tokens`.

    `model` is the server's name of the model; `tries` counts the requests that were made for it.
    """

    text: str = field(repr=False)
    calls: tuple[Call, ...]
    usage: Usage
    model: str
    was_cut: bool = False
    tries: int = 1
