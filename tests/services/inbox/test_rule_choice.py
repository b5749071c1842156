"""Who gets a conversation: rules in their order, people in turn, capacity, and who is there."""

from __future__ import annotations

from typing import Any

from backend.services.inbox.rule_choice import Choice, Rule, choose

ANY: dict[str, Any] = {"channel": "whatsapp", "sender_id": 1, "label_ids": ()}


def chosen(*rules: Rule, **given: Any) -> Choice | None:
    return choose(rules, **{**ANY, "available": {1, 2, 3}, "load": {}} | given)


def test_people_get_conversations_in_turn() -> None:
    order = (3, 1, 2)
    last = None
    got = []
    for _ in range(4):
        choice = chosen(Rule(7, "round_robin", order, last_user_id=last))
        assert choice is not None
        got.append(choice.user_id)
        last = choice.user_id
    assert got == [3, 1, 2, 3]


def test_who_is_away_or_has_no_room_is_passed_over() -> None:
    rule = Rule(7, "round_robin", (1, 2, 3), capacity=2, last_user_id=1)
    assert chosen(rule, available={1, 3}) == Choice(7, 3)
    assert chosen(rule, load={2: 2, 3: 2}) == Choice(7, 1)
    assert chosen(rule, load={1: 2, 2: 3, 3: 2}) is None
    assert chosen(rule, available=set()) is None


def test_the_first_rule_that_is_about_it_and_has_somebody_decides() -> None:
    vip = Rule(1, "user", (2,), label_id=9)
    page = Rule(2, "user", (3,), channel="messenger")
    rest = Rule(3, "user", (1,))
    assert chosen(vip, page, rest) == Choice(3, 1)
    assert chosen(vip, page, rest, label_ids=(9,)) == Choice(1, 2)
    assert chosen(vip, page, rest, channel="messenger") == Choice(2, 3)
    # Nobody of the first rule is there: the conversation does not wait for them while others could take it.
    assert chosen(vip, page, rest, label_ids=(9,), available={1}) == Choice(3, 1)


def test_a_rule_may_be_about_one_integration() -> None:
    assert chosen(Rule(1, "user", (2,), sender_id=5)) is None
    assert chosen(Rule(1, "user", (2,), sender_id=5), sender_id=5) == Choice(1, 2)


def test_who_had_the_last_one_and_left_the_rule_changes_nothing() -> None:
    assert chosen(Rule(1, "round_robin", (1, 2), last_user_id=99)) == Choice(1, 1)
