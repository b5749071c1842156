"""Who gets a conversation: the first rule that is about it, and of the rule's people the one whose turn it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

ROUND_ROBIN = "round_robin"
USER = "user"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as plain values: what it is about (None: whatever), whom it names, how many open conversations each of
    them may have (None: any number), and who had the last one."""

    id: int
    method: str
    user_ids: tuple[int, ...]
    channel: str | None = None
    sender_id: int | None = None
    label_id: int | None = None
    capacity: int | None = None
    last_user_id: int | None = None

    def is_about(self, channel: str, sender_id: int, label_ids: Collection[int]) -> bool:
        """Whether the rule is about such a conversation."""
        return (
            (self.channel is None or self.channel == channel)
            and (self.sender_id is None or self.sender_id == sender_id)
            and (self.label_id is None or self.label_id in label_ids)
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that chose, and whom."""

    rule_id: int
    user_id: int


def choose(
    rules: Sequence[Rule],
    *,
    channel: str,
    sender_id: int,
    label_ids: Collection[int],
    available: Collection[int],
    load: Mapping[int, int],
) -> Choice | None:
    """Who gets the conversation; None where nobody has room for it now.

    `rules` stand in their order, `available` are the people who take conversations, `load` is how many open ones each
    has. A rule of whose people none is available or has room leaves the conversation to the rules after it. In turn
    means: after who had the last one, in the order in which the rule names its people; `user` takes the first named.
    """
    for rule in rules:
        if not rule.is_about(channel, sender_id, label_ids):
            continue
        for user_id in in_turn(rule):
            has_room = rule.capacity is None or load.get(user_id, 0) < rule.capacity
            if user_id in available and has_room:
                return Choice(rule.id, user_id)
    return None


def in_turn(rule: Rule) -> tuple[int, ...]:
    """The rule's people, beginning with whose turn it is."""
    people = rule.user_ids
    if rule.method == USER or rule.last_user_id not in people:
        return people
    place = people.index(rule.last_user_id) + 1
    return people[place:] + people[:place]
