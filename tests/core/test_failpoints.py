"""Failpoints act where they are named, count themselves, and are off unless a test asks."""

from __future__ import annotations

import pytest

from backend.core import failpoints


def test_they_are_off_by_default():
    assert failpoints.hit is failpoints._off


def test_a_rule_acts_only_at_its_name_and_is_counted(tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("delivery.claimed error\n")
    hit = failpoints._build(str(rules))
    hit("delivery.committed")
    with pytest.raises(failpoints.FailpointError):
        hit("delivery.claimed")
    rules.write_text("")
    hit("delivery.claimed")
    assert (tmp_path / "rules.hits").read_text().startswith("delivery.claimed error ")


def test_a_name_that_is_gone_is_an_error(tmp_path):
    hit = failpoints._build(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="unknown failpoint"):
        hit("delivery.forgotten")


def test_each_named_failpoint_stands_in_the_code():
    from pathlib import Path

    sources = "\n".join(path.read_text() for path in Path("backend").rglob("*.py") if path.name != "failpoints.py")
    assert [name for name in failpoints.NAMES if f'"{name}"' not in sources] == []
