"""Answers of Chat Completions: by a step of the script, or as a small helper that knows nothing would answer."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from simulator.llm.script import Step
from simulator.model import JSON

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(r"\+?\d[\d -]{7,18}\d")
_HANGUL = re.compile(r"[가-힣]")
_PERSON = re.compile(r"\b(?:human|person|agent|operator)\b|사람|상담원|직원", re.IGNORECASE)
_QUOTED = 300
"""Characters of a person's words that are given back to them."""


def words_of(request: JSON) -> list[str]:
    """The texts of a request's messages, in order."""
    messages = request.get("messages")
    contents = [message.get("content") for message in messages or [] if isinstance(message, dict)]
    return [content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) for content in contents]


def scripted(step: Step, request: JSON, number: int) -> JSON:
    """The completion that a step describes."""
    message = step.message
    if message is None:
        message = {"role": "assistant", "content": step.text}
        if step.calls:
            message["tool_calls"] = [_call(call, place) for place, call in enumerate(step.calls)]
    return _completion(request, number, message, step.finish_reason, step.usage)


def own(request: JSON, number: int) -> JSON:
    """What the model answers without a script: it repeats the person's words, in their language; hands over where they
    ask for a person; and notes a phone number or an e-mail address."""
    texts = words_of(request)
    asked = texts[-1] if texts else ""
    korean = _HANGUL.search(asked) is not None
    tools = {tool.get("function", {}).get("name") for tool in request.get("tools") or [] if isinstance(tool, dict)}
    calls: list[JSON] = []
    matches = {"email": _EMAIL.search(asked), "phone": _PHONE.search(asked)}
    captured = {name: match[0] for name, match in matches.items() if match}
    if captured and "capture" in tools:
        calls.append({"name": "capture", "arguments": captured})
    if _PERSON.search(asked) and "hand_over" in tools:
        calls.append({"name": "hand_over", "arguments": {"reason": "The person asks for a person."}})
        return _with_calls(request, number, calls)
    quoted = asked.strip()[:_QUOTED]
    text = f"(시뮬레이터) 이렇게 쓰셨네요: {quoted}" if korean else f"(Simulator) You wrote: {quoted}"
    if "answer" in tools:
        return _with_calls(request, number, [*calls, {"name": "answer", "arguments": {"text": text}}])
    return _completion(request, number, {"role": "assistant", "content": text}, "stop", None)


def _with_calls(request: JSON, number: int, calls: list[JSON]) -> JSON:
    listed = [_call(call, place) for place, call in enumerate(calls)]
    message = {"role": "assistant", "content": None, "tool_calls": listed}
    return _completion(request, number, message, "tool_calls", None)


def _call(call: Any, place: int) -> JSON:
    arguments = call.get("arguments") if isinstance(call, dict) else None
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    name = call.get("name") if isinstance(call, dict) else None
    return {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": written}}


def _completion(request: JSON, number: int, message: JSON, finish: str, usage: JSON | None) -> JSON:
    read = sum(len(text.encode()) for text in words_of(request)) // 3 + 10
    written = len(json.dumps(message, ensure_ascii=False).encode()) // 3 + 1
    answer: JSON = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(request.get("model") or "simulated"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    if usage is None:
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return answer | ({"usage": usage} if usage else {})
