"""Cursors: small, strict, and comparable."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.services.live import cursors
from backend.services.live.cursors import BadCursor, Snapshot


@st.composite
def snapshots(draw) -> Snapshot:
    running = sorted(draw(st.sets(st.integers(1, 2**62), max_size=50)))
    least = running[-1] + 1 if running else 1
    return Snapshot(draw(st.integers(least, 2**63 - 1)), tuple(running))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(snapshots())
def test_a_cursor_reads_back_as_the_snapshot_it_was_made_of(snapshot):
    assert cursors.decode(cursors.encode(snapshot)) == snapshot
    assert cursors.from_sql(snapshot.sql()) == snapshot


@given(st.text(max_size=60) | st.text(alphabet="ABCdef0123-_", max_size=60).map(lambda rest: f"1.{rest}"))
def test_anything_else_is_refused_or_is_exactly_a_cursor(text):
    try:
        snapshot = cursors.decode(text)
    except BadCursor:
        return
    assert cursors.encode(snapshot) == text


@pytest.mark.parametrize(
    "text",
    ["", "1.", "2.AQA", "1.AQA=", "1.AAA", "1.gA", "1.AQAA", "1.AQIAAA", "1.AAB", "1.//8", f"1.{'A' * 5000}", "1.ÅQA"],
)
def test_malformed_cursors_are_refused(text):
    with pytest.raises(BadCursor):
        cursors.decode(text)


@pytest.mark.parametrize("text", ["", "1:2", "2:1:", "1:5:4,3", "1:5:5", "0:0:", "1:5:1;", "x"])
def test_malformed_snapshots_are_refused(text):
    with pytest.raises(BadCursor):
        cursors.from_sql(text)


def test_a_cursor_stays_short_with_many_transactions_running():
    snapshot = Snapshot(9_000_000_300, tuple(range(9_000_000_000, 9_000_000_300)))
    assert len(cursors.encode(snapshot)) < 450


@pytest.mark.parametrize(
    ("later", "earlier", "included"),
    [
        (Snapshot(10), Snapshot(10), True),
        (Snapshot(11), Snapshot(10), True),
        (Snapshot(10), Snapshot(11), False),
        (Snapshot(20, (5,)), Snapshot(10, (5,)), True),
        (Snapshot(20, (5,)), Snapshot(10), False),
        (Snapshot(20), Snapshot(10, (5, 7)), True),
        (Snapshot(20, (15,)), Snapshot(10), True),
    ],
)
def test_what_one_snapshot_includes_of_another(later, earlier, included):
    assert later.includes_all_of(earlier) is included
