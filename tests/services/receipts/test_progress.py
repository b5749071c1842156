"""Receipts give the same result in whatever order they come, with gaps and repetitions."""

from __future__ import annotations

import itertools

import pytest

from backend.services.receipts.progress import is_ahead, message_state


def after(*states: str) -> str:
    part: str | None = None
    for state in states:
        if is_ahead(state, part):
            part = state
    return part or "sent"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("accepted", "sent", "delivered", "read"), "read"),
        (("sent", "read"), "read"),
        (("delivered", "played"), "played"),
        (("accepted", "failed"), "failed"),
        (("sent", "failed"), "failed"),
        (("sent", "delivered", "failed"), "delivered"),
        (("accepted",), "sent"),
    ],
)
def test_the_result_does_not_depend_on_the_order(states: tuple[str, ...], expected: str) -> None:
    for order in itertools.permutations(states):
        assert after(*order) == expected
        assert after(*order, *order) == expected


@pytest.mark.parametrize(
    ("current", "parts", "complete", "expected"),
    [
        ("sent", ["delivered"], True, "delivered"),
        ("sent", [None], True, None),
        ("queued", [None], True, "sent"),
        ("unknown", [None], True, "sent"),
        ("sent", ["delivered", None], True, None),
        ("sent", ["read", "delivered"], True, "delivered"),
        ("delivered", ["read", "played"], True, "read"),
        ("queued", ["delivered"], False, None),
        ("queued", ["failed"], False, "failed"),
        ("sent", ["delivered", "failed"], True, "failed"),
        ("read", ["delivered"], True, None),
        ("failed", ["delivered"], True, "delivered"),
        ("sent", [], True, None),
    ],
)
def test_a_message_is_as_far_as_its_last_part(
    current: str, parts: list[str | None], complete: bool, expected: str | None
) -> None:
    assert message_state(current, parts, complete=complete) == expected
