"""Asking a model, against a server that answers as single compatible servers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from backend.llm import Call, Client, Endpoint, Message, ModelFailed, Question, Tool, peculiarities, tokens
from tests.channels.scripted_server import ScriptedServer, answer, drop, free_port, hang, scripted_server, truncated

KEY = "sk-very-secret-0123456789"
QUESTION = Question(
    (Message("system", "You answer."), Message("user", "안녕하세요?")),
    tools=(Tool("answer", "Answers the person", {"type": "object", "properties": {"text": {"type": "string"}}}),),
    temperature=0.2,
)


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    peculiarities.forget()
    tokens.forget()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(pauses: list[float]) -> Client:
    return Client(sleep=pauses.append)


def endpoint(server: ScriptedServer) -> Endpoint:
    return Endpoint(f"{server.url}/v1", "small", KEY, allow_private=True)


def said(text: object, **around: Any) -> dict[str, Any]:
    """A body of Chat Completions with this content."""
    return completion({"role": "assistant", "content": text}, **around)


def completion(message: Mapping[str, Any], *, finish: str = "stop", **around: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return {
        "id": "c-1",
        "object": "chat.completion",
        "model": "small-2026",
        "choices": choices,
        "usage": usage,
    } | around


def failure(status: int, message: str, **more: Any) -> Any:
    return answer(status, {"error": {"message": message, **more}})


def test_a_question_is_asked_as_the_api_wants_it(server: ScriptedServer, client: Client) -> None:
    server.script = [answer(200, said("반갑습니다."))]
    given = client.ask(endpoint(server), QUESTION)
    assert (given.text, given.calls, given.model, given.tries) == ("반갑습니다.", (), "small-2026", 1)
    assert (given.usage.prompt, given.usage.answer, given.usage.is_estimated) == (20, 7, False)
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    asked = request.json
    assert asked["model"] == "small"
    assert asked["messages"][1] == {"role": "user", "content": "안녕하세요?"}
    assert asked["max_tokens"] == 600
    assert asked["tools"][0]["function"]["name"] == "answer"
    assert "response_format" not in asked


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": [{"type": "text", "text": "Good "}, {"type": "text", "text": "day"}]}, "Good day"),
        ({"content": "<think>They greet me.</think>\nGood day"}, "Good day"),
        ({"content": "They greet me.</think>Good day"}, "Good day"),
        ({"content": "Good day<think>and now"}, "Good day"),
        ({"content": "Good\0 day", "reasoning_content": "They greet me."}, "Good day"),
        ({"content": 'Good day<tool_call>{"name": '}, "Good day"),
    ],
    ids=["parts", "thought", "ended thought", "open thought", "reasoning beside", "call cut off"],
)
def test_what_is_no_answer_is_left_out_of_it(
    server: ScriptedServer, client: Client, message: Mapping[str, Any], text: str
) -> None:
    server.script = [answer(200, completion(message))]
    given = client.ask(endpoint(server), QUESTION)
    assert (given.text, given.calls) == (text, ())


def _call(name: object, arguments: object, **more: Any) -> dict[str, Any]:
    return {"content": None, "tool_calls": [{"id": "", "index": 0, "function": {"name": name, "arguments": arguments}}]}


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        (_call("answer", '{"text": "Hi"}'), (Call("answer", {"text": "Hi"}),)),
        (_call("answer", {"text": "Hi"}), (Call("answer", {"text": "Hi"}),)),
        (_call("answer", '{"text": "Hi"'), (Call("answer", None),)),
        (_call("answer", None), (Call("answer", None),)),
        (_call("unknown", "{}"), (Call("unknown", {}),)),
        ({"function_call": {"name": "answer", "arguments": '{"text": "Hi"}'}}, (Call("answer", {"text": "Hi"}),)),
        (
            {"content": '<tool_call>{"name": "answer", "arguments": {"text": "Hi"}}</tool_call>'},
            (Call("answer", {"text": "Hi"}),),
        ),
    ],
    ids=["string", "object", "cut off", "none", "unknown", "older form", "in the text"],
)
def test_calls_are_read_in_every_form(
    server: ScriptedServer, client: Client, message: Mapping[str, Any], calls: tuple[Call, ...]
) -> None:
    server.script = [answer(200, completion(message, finish="tool_calls"))]
    given = client.ask(endpoint(server), QUESTION)
    assert (given.text, given.calls) == ("", calls)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": "many"}, 7]
)
def test_tokens_that_a_server_does_not_count_are_estimated(
    server: ScriptedServer, client: Client, usage: object
) -> None:
    server.script = [answer(200, said("Good day", usage=usage))]
    counted = client.ask(endpoint(server), QUESTION).usage
    assert counted.is_estimated
    assert (counted.prompt, counted.answer) == (tokens.of_messages(endpoint(server), QUESTION.messages), 4)


def test_an_answer_that_was_cut_says_so(server: ScriptedServer, client: Client) -> None:
    server.script = [answer(200, completion({"content": "Good"}, finish="length"))]
    assert client.ask(endpoint(server), QUESTION).was_cut


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (failure(401, "Incorrect API key provided: sk-ver**********6789."), "auth"),
        (failure(403, "This key may not do that."), "auth"),
        (failure(402, "Payment required"), "quota"),
        (failure(429, "You exceeded your current quota.", code="insufficient_quota"), "quota"),
        (failure(400, "Too many tokens.", code="context_length_exceeded"), "context_too_long"),
        (failure(400, "This model's maximum context length is 8192 tokens."), "context_too_long"),
        (failure(400, "Filtered due to the content management policy."), "content_filter"),
        (answer(200, completion({"content": None}, finish="content_filter")), "content_filter"),
        (answer(200, completion({"content": None, "refusal": "I cannot help with that."})), "refused"),
        (answer(200, completion({"content": None, "reasoning": "They greet me."})), "empty"),
        (answer(200, completion({"content": "<think>They greet me."})), "empty"),
        (answer(200, {"choices": [], "usage": None}), "empty"),
        (answer(200, {"choices": "none"}), "malformed"),
        (answer(200, b"<html>Welcome</html>"), "malformed"),
        (answer(200, b'["a list"]'), "malformed"),
        (failure(404, "The model `small` does not exist."), "server_error"),
        (answer(302, b"", {"Location": "https://example.com/"}), "server_error"),
    ],
)  # fmt: skip
def test_what_does_not_pass_fails_at_once_and_says_why(
    server: ScriptedServer, client: Client, pauses: list[float], step: Any, code: str
) -> None:
    server.script = [step]
    with pytest.raises(ModelFailed) as raised:
        client.ask(endpoint(server), QUESTION)
    assert raised.value.code == code
    assert len(server.received) == 1
    assert pauses == []
    assert "sk-" not in str(raised.value)


@pytest.mark.parametrize(
    "step",
    [
        failure(500, "Oops"),
        failure(503, "Loading the model"),
        failure(408, "Too slow"),
        failure(409, "Conflict"),
        failure(429, "Slow down"),
        answer(500, b"no JSON"),
        answer(200, {"error": {"message": "Provider returned error", "code": 502}}),
        answer(200, {"error": "overloaded"}),
        answer(200, {"choices": [{"error": {"code": 503, "message": "busy"}, "message": {"content": ""}}]}),
        answer(200, {"choices": [{"finish_reason": "error", "message": {"content": ""}}]}),
        drop,
        truncated,
    ],
)
def test_what_may_pass_is_tried_again(server: ScriptedServer, client: Client, pauses: list[float], step: Any) -> None:
    server.script = [step, step, answer(200, said("Good day"))]
    given = client.ask(endpoint(server), QUESTION)
    assert (given.text, given.tries) == ("Good day", 3)
    assert len(pauses) == 2


def test_three_failures_at_once_are_the_end_within_fifteen_seconds(
    server: ScriptedServer, client: Client, pauses: list[float]
) -> None:
    slow_down = answer(429, {"error": {"message": "Slow down"}}, {"Retry-After": "600"})
    server.script = [slow_down] * 4
    with pytest.raises(ModelFailed, match="rate_limited"):
        client.ask(endpoint(server), QUESTION)
    assert len(server.received) == 3
    assert sum(pauses) <= 10


def test_the_wait_that_a_server_asks_for_is_kept(server: ScriptedServer, client: Client, pauses: list[float]) -> None:
    error = {"error": {"message": "Slow down"}}
    server.script = [
        answer(429, error, {"Retry-After": "2"}),
        answer(503, error, {"Retry-After-Ms": "1500", "Retry-After": "3"}),
        answer(200, said("Good day")),
    ]
    client.ask(endpoint(server), QUESTION)
    assert pauses == [2, 1.5]


def test_a_server_may_say_itself_whether_to_try_again(server: ScriptedServer, client: Client) -> None:
    server.script = [answer(500, {"error": "broken for good"}, {"X-Should-Retry": "false"})]
    with pytest.raises(ModelFailed, match="server_error"):
        client.ask(endpoint(server), QUESTION)
    assert len(server.received) == 1


def test_a_server_that_says_nothing_is_left_at_the_deadline(server: ScriptedServer, client: Client) -> None:
    server.script = [hang]
    with pytest.raises(ModelFailed, match="timeout"):
        client.ask(endpoint(server), QUESTION, timeout=0.2)
    assert len(server.received) == 1


def test_nobody_who_listens_is_an_error_of_the_server(client: Client, pauses: list[float]) -> None:
    closed = Endpoint(f"http://127.0.0.1:{free_port()}/v1", "small", allow_private=True)
    with pytest.raises(ModelFailed, match="server_error: connect_failed"):
        client.ask(closed, QUESTION)
    assert len(pauses) == 2


def test_a_private_address_is_refused_where_it_is_not_the_environments(server: ScriptedServer, client: Client) -> None:
    with pytest.raises(ModelFailed, match="server_error: private_address"):
        client.ask(Endpoint(f"{server.url}/v1", "small", KEY), QUESTION)
    assert server.received == []


@pytest.mark.parametrize(
    ("refusal", "name", "changed"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_completion_tokens",
            600,
        ),
        ("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature", None),
        ("registry/small does not support tools", "tools", None),
    ],
)
def test_a_parameter_that_a_server_does_not_know_is_changed_once_and_remembered(
    server: ScriptedServer, client: Client, pauses: list[float], refusal: str, name: str, changed: object
) -> None:
    server.script = [failure(400, refusal), answer(200, said("Good day")), answer(200, said("Good day"))]
    assert client.ask(endpoint(server), QUESTION).tries == 1
    client.ask(endpoint(server), QUESTION)
    assert [request.json.get(name) for request in server.received[1:]] == [changed, changed]
    assert len(server.received) == 3
    assert pauses == []


def test_a_server_that_refuses_every_form_is_left(server: ScriptedServer, client: Client) -> None:
    newer = failure(400, "max_tokens is not supported")
    older = failure(400, "Extra inputs are not permitted: max_completion_tokens")
    server.script = [newer, older, newer, older]
    with pytest.raises(ModelFailed, match="server_error"):
        client.ask(endpoint(server), QUESTION)
    assert len(server.received) == 4


def test_what_a_server_counts_brings_the_estimate_down(server: ScriptedServer, client: Client) -> None:
    long = Question((Message("user", "How are you today? " * 50),))
    before = tokens.of_messages(endpoint(server), long.messages)
    usage = {"prompt_tokens": before // 2, "completion_tokens": 3}
    server.script = [answer(200, said("Well", usage=usage))]
    client.ask(endpoint(server), long)
    assert tokens.of_messages(endpoint(server), long.messages) == pytest.approx(before / 2, abs=3)
