"""The checker finds each thing that can be wrong with a run, from the provider's log and the rows alone."""

from __future__ import annotations

import pytest

from benchmarks import checker
from benchmarks.checker import Entry, Row
from benchmarks.policies import SECOND


def entry(text: str, *, at: float = 0.0, chat: int = 7, status: int = 200, message: int = 11, bot: int = 1) -> Entry:
    return Entry(round(at * SECOND), bot, chat, "sendMessage", status, message, text)


def row(text: str, state: str = "sent", external_id: str | None = "11", **values: object) -> Row:
    return Row(1, text, state, external_id, **values)  # type: ignore[arg-type]


def test_a_run_without_fault_is_sound() -> None:
    verdict = checker.match([entry("a", message=11), entry("b", message=12)], [row("a"), row("b", external_id="12")])
    assert verdict.sound
    assert verdict == checker.Verdict()


def test_what_nobody_has_is_lost() -> None:
    verdict = checker.match([], [row("a", "queued", None), row("b", "queued", None, waiting="queued")])
    assert verdict.lost == ["a"]
    assert not verdict.sound


def test_a_row_that_claims_too_much_or_too_little_is_noticed() -> None:
    rows = [row("never out"), row("other id", external_id="99"), row("unlearned", "queued", None), row("no", "failed")]
    entries = [entry("other id"), entry("unlearned"), entry("no")]
    verdict = checker.match(entries, rows)
    assert len(verdict.mistaken) == 4
    assert not verdict.lost


def test_twice_is_doubled_where_once_was_promised() -> None:
    entries = [entry("a"), entry("a", message=12), entry("b"), entry("b", message=12)]
    verdict = checker.match(entries, [row("a", at_most_once=True), row("b")])
    assert (verdict.doubled, verdict.repeated) == (["a"], ["b"])
    assert not verdict.sound


def test_an_accepted_message_counts_though_its_answer_was_dropped() -> None:
    entries = [entry("a", status=-1), entry("a", message=12)]
    assert checker.match(entries, [row("a", external_id="12", at_most_once=True)]).doubled == ["a"]


def test_a_message_without_a_row_is_a_stray_and_an_admitted_doubt_is_no_loss() -> None:
    verdict = checker.match([entry("a")], [row("b", "unknown", None)])
    assert (verdict.stray, verdict.unknown, verdict.lost) == (["a"], ["b"], [])


def test_refusals_are_counted_and_are_not_acceptances() -> None:
    verdict = checker.match([entry("a", status=429), entry("a")], [row("a")])
    assert verdict.refused == 1
    assert verdict.sound


def test_rows_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing can be matched"):
        checker.match([], [row("a"), row("a")])


def test_a_client_that_keeps_the_limits_is_not_accused() -> None:
    steady = [entry(str(i), at=i / 30, chat=100 + i) for i in range(120)]
    chat = [entry(f"c{i}", at=i + 0.01, chat=7, bot=2) for i in range(5)]
    group = [entry(f"g{i}", at=i * 3.0, chat=-7, bot=3) for i in range(45)]
    assert checker.over_pacing([*steady, *chat, *group]) == []


@pytest.mark.parametrize(
    ("entries", "limit"),
    [
        # 31 a second, evenly.
        ([entry(str(i), at=i / 31, chat=100 + i) for i in range(120)], "bot 1"),
        # 30 in each second of the clock, but all of them at its turn: no fixed window shows it.
        ([entry(str(i), at=(0.9 if i < 30 else 1.1) + i / 10_000, chat=100 + i) for i in range(60)], "bot 1"),
        ([entry(str(i), at=i * 0.99, chat=7) for i in range(3)], "chat 7"),
        ([entry(str(i), at=i * 2.8, chat=-7) for i in range(30)], "group -7"),
    ],
)
def test_an_over_pacing_client_is_caught(entries: list[Entry], limit: str) -> None:
    found = checker.over_pacing(entries)
    assert found
    assert all(one.startswith(limit) for one in found)


def test_pace_is_measured_while_there_is_enough_to_do() -> None:
    entries = [entry(str(i), at=i / 15, chat=100 + i) for i in range(151)] + [entry("late", at=100.0)]
    pace = checker.pace_of(entries, [str(i) for i in range(151)])
    assert (pace.messages, pace.seconds) == (151, 10.0)
    assert pace.ratio == pytest.approx(0.5)
    with pytest.raises(ValueError, match="nothing to measure"):
        checker.pace_of(entries, ["late"])
