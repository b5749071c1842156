"""The five severities, the words that mean one of them, and what becomes of other words."""

from __future__ import annotations

import pytest

from backend.core.errors import Invalid
from backend.services.alerts import severities
from backend.services.host_api import format_alert
from tests.services.alerts.test_labels import firing, receive

__all__ = ["receive"]


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (["critical", "page", "fatal", "emergency", "CRITICAL", " Page "], "critical"),
        (["error", "err", "high", "Err"], "error"),
        (["warning", "warn", "minor", "WARN"], "warning"),
        (["info", "notice", "ok", "none", "OK"], "info"),
        (["debug"], "debug"),
        (["", "bad", "p1", "low", "major", "심각", "crit ical", "критический"], None),
    ],
)
def test_what_a_word_means(words, meaning):
    assert {severities.parse(word) for word in words} == {meaning}


def test_the_worst_of_some():
    assert severities.worst(["info", "error", "debug"]) == "error"
    assert severities.worst([]) == "warning"


@pytest.mark.parametrize(("word", "meaning"), [("PAGE", "critical"), ("err", "error"), ("none", "info")])
def test_a_synonym_is_stored_as_what_it_means_and_makes_the_same_alert(room, word, meaning):
    room.raise_("Disk full", severity=word)
    assert room.raise_("Disk full", severity=meaning).count == 2
    assert (room.alert().severity, room.items()[0].severity) == (meaning, meaning)


@pytest.mark.parametrize("word", ["bad", "", "p1", "x" * 5000, "심각"])
def test_another_word_is_refused(room, word):
    with pytest.raises(Invalid) as refused:
        room.raise_("Disk full", severity=word)
    assert "bad_severity" in str(refused.value.detail)
    assert room.alerts() == []


@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
@pytest.mark.parametrize("word", ["P1", "sev-2", "🔥", "low"])
def test_another_word_of_a_monitoring_system_is_a_warning_and_stays_a_label(room, receive, source, word):
    receive(firing({"alertname": "HighLoad", "severity": word}), source)
    item = room.items()[0]
    assert (room.alert().severity, item.severity, item.labels["severity"]) == ("warning", "warning", word)
    assert f"severity={word}" in room.texts()[0]


@pytest.mark.parametrize(("word", "mark"), [("page", "🔴"), ("Warn", "🟠"), ("odd", "🟠"), ("ok", "🔵")])
def test_an_alert_that_is_only_written_out_has_the_mark_of_what_is_meant(word, mark):
    assert format_alert("Disk full", severity=word).startswith(mark)
