"""The simulated model: by script, or by itself; asked by the product's own client."""

from __future__ import annotations

import pytest

from backend.llm import Client, Endpoint, Message, ModelFailed, Question, Tool
from tests.support.telegram_box import BoxError, TelegramBox

TOOLS = tuple(Tool(name, name, {"type": "object"}) for name in ("answer", "hand_over", "capture"))


def ask(box: TelegramBox, text: str, tools: tuple[Tool, ...] = TOOLS, timeout: float = 20.0) -> object:
    endpoint = Endpoint(box.control("GET", "/llm")["base_url"], "simulated", "any-key", allow_private=True)
    question = Question((Message("system", "You help."), Message("user", text)), tools)
    return Client(sleep=lambda _: None).ask(endpoint, question, timeout=timeout)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("When do you open?", [("answer", {"text": "(Simulator) You wrote: When do you open?"})]),
        ("언제 열어요?", [("answer", {"text": "(시뮬레이터) 이렇게 쓰셨네요: 언제 열어요?"})]),
        ("I want to talk to a person", [("hand_over", {"reason": "The person asks for a person."})]),
        (
            "mina@example.com, please",
            [
                ("capture", {"email": "mina@example.com"}),
                ("answer", {"text": "(Simulator) You wrote: mina@example.com, please"}),
            ],
        ),
    ],
)
def test_without_a_script_it_answers_by_itself(box: TelegramBox, text: str, calls: list[object]) -> None:
    answer = ask(box, text)
    assert [(call.name, call.arguments) for call in answer.calls] == calls  # type: ignore[attr-defined]


def test_without_tools_it_answers_in_plain_words(box: TelegramBox) -> None:
    assert ask(box, "Hello", ()).text == "(Simulator) You wrote: Hello"  # type: ignore[attr-defined]


def test_steps_answer_what_they_are_for_and_are_used_up(box: TelegramBox) -> None:
    box.control("POST", "/llm/steps", {"match": "price", "times": 1, "text": "Ten."})
    box.control("POST", "/llm/steps", {"calls": [{"name": "hand_over", "arguments": {"reason": "unsure"}}]})
    assert ask(box, "What is the price?").text == "Ten."  # type: ignore[attr-defined]
    (call,) = ask(box, "What is the price?").calls  # type: ignore[attr-defined]
    assert (call.name, call.arguments) == ("hand_over", {"reason": "unsure"})
    assert [step["used"] for step in box.control("GET", "/llm/steps")["steps"]] == [1, 1]


def test_it_fails_as_it_is_told_to(box: TelegramBox) -> None:
    refusal = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    box.control("POST", "/llm/steps", {"times": 1, "status": 429, "body": refusal})
    box.control("POST", "/llm/steps", {"times": 1, "body": {"error": {"message": "busy", "code": 503}}})
    box.control("POST", "/llm/steps", {"times": 1, "cut": True})
    with pytest.raises(ModelFailed, match="quota"):
        ask(box, "Hello")
    assert ask(box, "Hello").tries == 3  # type: ignore[attr-defined]


def test_it_thinks_as_long_as_it_is_told_to(box: TelegramBox) -> None:
    box.control("POST", "/llm/steps", {"delay": 60, "text": "Too late."})
    with pytest.raises(ModelFailed, match="timeout"):
        ask(box, "Hello", timeout=0.3)


def test_its_log_holds_what_it_was_asked(box: TelegramBox) -> None:
    ask(box, "Hello")
    (entry,) = box.control("GET", "/llm/log")["entries"]
    assert (entry["outcome"], entry["request"]["messages"][1]["content"]) == ("own", "Hello")


@pytest.mark.parametrize("step", [{"matches": "x"}, {"delay": -1}, {"status": 99}, {"text": 5}, {"times": True}])
def test_a_step_that_cannot_be_is_refused(box: TelegramBox, step: dict[str, object]) -> None:
    with pytest.raises(BoxError, match="422"):
        box.control("POST", "/llm/steps", step)
