"""Reading what OpenAI-compatible servers answer: each does it a little differently, and some do it wrong.

Seen with servers of that kind: a refusal inside a 200, no usage, `content` as null or as a list of parts, calls whose
arguments are an object, calls written into the text, thoughts left in the text, no choice at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from backend.core.egress import answers
from backend.llm import tokens
from backend.llm.endpoint import Endpoint
from backend.llm.errors import ModelFailed
from backend.llm.values import Answer, Call, Question, Usage

_THOUGHT: Final = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_ENDED_THOUGHT: Final = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_WRITTEN_CALL: Final = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL | re.IGNORECASE)
_MAX_CALLS: Final = 16
_MAX_TOKENS: Final = 10_000_000
_NAME_LENGTH: Final = 64


def read(endpoint: Endpoint, question: Question, body: Mapping[str, Any]) -> Answer:
    """The answer that a body of a 200 holds. Raises ModelFailed (`content_filter`, `refused`, `empty`, `malformed`)."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        raise ModelFailed("malformed", "no choices")
    choice = next((entry for entry in choices if isinstance(entry, dict)), None)
    if choice is None:
        raise ModelFailed("empty", "no choice")
    spoken = choice.get("message")
    message: Mapping[str, Any] = spoken if isinstance(spoken, dict) else {}
    text = _text(message.get("content"))
    calls, text = _calls(message, text)
    text = _without_thoughts(text)
    usage = _usage(endpoint, question, body.get("usage"), text)
    charged = (usage.prompt, usage.answer)
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise ModelFailed("content_filter", usage=charged)
    if not text and not calls:
        if refusal := message.get("refusal"):
            raise ModelFailed("refused", refusal[:200] if isinstance(refusal, str) else "", usage=charged)
        raise ModelFailed("empty", usage=charged)
    named = body.get("model")
    model = named[:_NAME_LENGTH] if isinstance(named, str) and named else endpoint.model
    return Answer(text, calls, usage, model, was_cut=finish == "length")


def error_of(body: Mapping[str, Any]) -> Mapping[str, Any] | str | None:
    """The error that a body holds, though its status may be 200; None where it holds none."""
    if error := body.get("error"):
        return error if isinstance(error, dict | str) else "error"
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and (error := choice.get("error")):
            return error if isinstance(error, dict | str) else "error"
        if isinstance(choice, dict) and choice.get("finish_reason") == "error":
            return "the server ended its answer with an error"
    return None


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _without_thoughts(text: str) -> str:
    # A thought that is only ended here began in what the server has kept for itself.
    text = _ENDED_THOUGHT.sub("", _THOUGHT.sub("", text))
    return text.replace("\0", "").strip()


def _calls(message: Mapping[str, Any], text: str) -> tuple[tuple[Call, ...], str]:
    """The calls of a message, and its text without the calls that were written into it."""
    listed = message.get("tool_calls")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    functions = [entry.get("function") or entry for entry in entries]
    if not functions and isinstance(message.get("function_call"), dict):
        functions = [message["function_call"]]
    written = _WRITTEN_CALL.findall(text)
    if not functions:
        functions = [_json(inside) for inside in written]
    calls_read = []
    for function in functions[:_MAX_CALLS]:
        if isinstance(function, dict) and isinstance(name := function.get("name"), str):
            arguments = function.get("arguments", function.get("parameters"))
            given = _json(arguments) if isinstance(arguments, str) else arguments
            calls_read.append(Call(name[:_NAME_LENGTH], given if isinstance(given, dict) else None))
    return tuple(calls_read), _WRITTEN_CALL.sub("", text)


def _json(text: str) -> Any:
    try:
        return answers.read_json(text.encode("utf-8", "replace"))
    except (ValueError, json.JSONDecodeError):
        return None


def _usage(endpoint: Endpoint, question: Question, counted: object, text: str) -> Usage:
    values: Mapping[str, Any] = counted if isinstance(counted, dict) else {}
    prompt = answers.whole_number(values.get("prompt_tokens"), most=_MAX_TOKENS)
    written = answers.whole_number(values.get("completion_tokens"), most=_MAX_TOKENS)
    if not prompt or written is None:
        estimated = tokens.of_messages(endpoint, question.messages)
        return Usage(estimated, tokens.estimate(endpoint, text), is_estimated=True)
    return Usage(prompt, written)
