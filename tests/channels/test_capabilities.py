"""Sizes and windows of channels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.channels.capabilities import Length, ReplyWindow, Unit

OPENED = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(("unit", "length"), [("characters", 3), ("utf16", 4), ("bytes", 8)])
def test_a_length_is_counted_as_the_provider_counts(unit: Unit, length: int) -> None:
    text = "a가😀"
    assert Length(length, unit).of(text) == length
    assert Length(length, unit).fits(text)
    assert not Length(length - 1, unit).fits(text)


def test_a_window_closes_a_minute_early_by_what_opened_it() -> None:
    window = ReplyWindow({"message_24h": timedelta(hours=24), "ad_7d": timedelta(days=7)})
    assert window.until(OPENED, "message_24h") == OPENED + timedelta(hours=23, minutes=59)
    assert window.until(OPENED, "ad_7d") == OPENED + timedelta(days=7) - timedelta(minutes=1)
    with pytest.raises(KeyError):
        window.until(OPENED, "other")
