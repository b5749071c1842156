"""Asking a model: at most three tries within one deadline, and a reason where there is no answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from backend.core import clock
from backend.core.backoff import Backoff
from backend.core.egress import Egress, EgressFailed, EgressRefused, Response, answers
from backend.llm import peculiarities, response, tokens
from backend.llm.endpoint import Endpoint
from backend.llm.errors import ModelFailed
from backend.llm.values import Answer, Question

TRIES: Final = 3
_PAUSES: Final = Backoff(first=0.5, longest=4.0, factor=4.0)
_MAX_PAUSE: Final = 5.0
"""Seconds; three tries that fail at once are to be over within fifteen."""
_LEAST_TRY: Final = 1.0
"""Seconds that must be left for another try to make sense."""
_MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_CHANGES: Final = 3
_DETAIL_LENGTH: Final = 200
_TOO_LONG: Final = ("context_length", "context length", "maximum context", "context window", "prompt is too long")
_FILTERED: Final = ("content_filter", "content management policy", "responsibleaipolicy", "moderation")
_NO_MONEY: Final = ("insufficient_quota", "insufficient credit", "insufficient balance", "billing")


class Client:
    """Asks models at any address, from any number of threads."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        egress: Callable[[bool], Egress] = lambda allow_private: Egress(allow_private=allow_private),
    ) -> None:
        """The arguments are for tests: `egress` gets whether private addresses are allowed."""
        self._sleep = sleep
        self._monotonic = monotonic
        self._egress = {allowed: egress(allowed) for allowed in (False, True)}

    def ask(self, endpoint: Endpoint, question: Question, *, timeout: float = 45.0) -> Answer:
        """One answer. `timeout` bounds everything together, in seconds. Raises ModelFailed.

        What may pass (408, 409, 429, 5xx, a lost connection) is tried again, at the time the server asks for as far as
        the deadline allows; money that has run out does not pass. A try that takes the whole time is `timeout`.
        """
        deadline = self._monotonic() + timeout
        for number in range(1, TRIES + 1):
            left = deadline - self._monotonic()
            try:
                return replace(self._try(endpoint, question, left, deadline), tries=number)
            except _Passing as passing:
                pause = passing.wait if passing.wait is not None else _PAUSES.seconds(number, endpoint.model)
                pause = min(pause, _MAX_PAUSE)
                if number == TRIES or deadline - self._monotonic() < pause + _LEAST_TRY:
                    raise passing.failure from None
            self._sleep(pause)
        raise AssertionError("the last try neither answered nor failed")

    def _try(self, endpoint: Endpoint, question: Question, left: float, deadline: float) -> Answer:
        how = peculiarities.of(endpoint)
        for _ in range(_MAX_CHANGES + 1):
            answered = self._send(endpoint, peculiarities.body(endpoint, question, how), left)
            body = _object(answered.content)
            error = response.error_of(body) if body is not None else None
            if answered.status == 200 and body is not None and error is None:
                answer = response.read(endpoint, question, body)
                if not answer.usage.is_estimated:
                    tokens.learn(endpoint, question.messages, answer.usage.prompt)
                return answer
            words = _words(error, endpoint)
            changed = peculiarities.after_refusal(how, words) if answered.status in (400, 404, 422) else None
            if changed is None:
                raise self._failure(answered, error, words)
            how = changed
            peculiarities.remember(endpoint, how)
            left = deadline - self._monotonic()
        raise ModelFailed("server_error", "the server refuses every form of the request")

    def _send(self, endpoint: Endpoint, asked: Mapping[str, Any], left: float) -> Response:
        if left <= 0:
            raise ModelFailed("timeout")
        try:
            return self._egress[endpoint.allow_private].fetch(
                "POST",
                endpoint.url,
                headers={"content-type": "application/json", **endpoint.headers},
                body=json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace"),
                timeout=left,
                max_bytes=_MAX_BYTES,
                max_redirects=0,
            )
        except EgressRefused as refused:
            raise ModelFailed("server_error", refused.code) from None
        except EgressFailed as failed:
            if failed.code == "timeout":
                raise ModelFailed("timeout") from None
            raise _Passing(ModelFailed("server_error", failed.code)) from None

    @staticmethod
    def _failure(answered: Response, error: Mapping[str, Any] | str | None, words: str) -> Exception:
        """What a refusal means: something that passes, or the end."""
        status = _status(answered.status, error)
        detail = f"{status}: {words}" if words else str(status)
        words = words.casefold()
        if any(word in words for word in _TOO_LONG):
            return ModelFailed("context_too_long", detail)
        if any(word in words for word in _FILTERED):
            return ModelFailed("content_filter", detail)
        if status == 402 or any(word in words for word in _NO_MONEY):
            return ModelFailed("quota", detail)
        if status in (401, 403):
            return ModelFailed("auth", detail)
        if answered.status == 200 and error is None:
            return ModelFailed("malformed", "no JSON object")
        failure = ModelFailed("rate_limited" if status == 429 else "server_error", detail)
        again = answered.headers.get("x-should-retry")
        passes = status in (408, 409, 429) or status >= 500
        if again == "true" or (passes and again != "false"):
            return _Passing(failure, _asked_wait(answered.headers))
        return failure


class _Passing(Exception):
    """A failure that may pass; `wait` is what the server asks for, in seconds."""

    def __init__(self, failure: ModelFailed, wait: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.wait = wait


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        body = answers.read_json(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _status(status: int, error: Mapping[str, Any] | str | None) -> int:
    """The status that counts: some servers answer 200 and write the real one into the error."""
    if status != 200 or not isinstance(error, Mapping):
        return status if status != 200 else 500
    written = error.get("code", error.get("status"))
    number = int(written) if isinstance(written, str) and written.isdecimal() and len(written) == 3 else written
    return answers.whole_number(number, least=400, most=599) or 500


def _words(error: Mapping[str, Any] | str | None, endpoint: Endpoint) -> str:
    """What the server says, in one line, without the key it may quote."""
    if isinstance(error, Mapping):
        inner = error.get("innererror")
        parts = [error.get("message"), error.get("code"), error.get("type"), error.get("param")]
        parts.append(inner.get("code") if isinstance(inner, Mapping) else None)
        words = " · ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))
    else:
        words = error or ""
    if len(endpoint.key) >= 4:
        words = words.replace(endpoint.key, "…")
    return _without_keys(" ".join(words.split()))[:_DETAIL_LENGTH]


def _without_keys(text: str) -> str:
    """The text without what looks like a key, also a shortened one."""
    return " ".join("…" if word.lstrip("'\"(").startswith(("sk-", "Bearer")) else word for word in text.split(" "))


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    milliseconds = answers.retry_after(headers.get("retry-after-ms"), now=clock.now(), most=_MAX_PAUSE * 1000)
    if milliseconds is not None:
        return milliseconds / 1000
    return answers.retry_after(headers.get("retry-after"), now=clock.now(), most=_MAX_PAUSE)
