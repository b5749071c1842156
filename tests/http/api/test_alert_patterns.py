"""Patterns over HTTP: what a stranger writes is answered with a 4xx or carried out in little time, never with a 5xx."""

from __future__ import annotations

import pytest

from backend.core import patterns
from backend.core.database import db, system_scope
from backend.models import AlertSilence
from backend.services.alerts.rules import silence_preview
from tests.http import callers
from tests.http.api.test_alerts import DISK, PAYLOADS, call, operator

__all__ = ["PAYLOADS", "call", "operator"]
PREVIEW = "/api/alerts/silences/preview"


@pytest.fixture
def look(client, operator):
    """A viewer who previews a pattern."""
    with system_scope("a viewer of the same workspace"):
        viewer = callers.member(operator, role="viewer")
        callers.commit()
    headers = callers.signed_in(viewer)

    def send(pattern: str, op: str = "=~", copies: int = 1):
        matchers = [{"label": "host", "op": op, "value": pattern}] * copies
        return client.post(PREVIEW, json={"matchers": matchers}, headers=headers)

    return send


@pytest.mark.parametrize("op", ["=~", "!~"])
@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("a{5000000}", "pattern_too_large"),
        ("a{2147483648}", "pattern_too_large"),
        ("a{1,4294967296}", "pattern_too_large"),
        ("((a{1000}){1000}){1000}", "pattern_too_large"),
        (r"\pL{1000}", "pattern_too_large"),
        ("(" * 400, "bad_pattern"),
        (")" * 400, "bad_pattern"),
        (r"(x)\1", "bad_pattern"),
        ("(?=x)x", "bad_pattern"),
        ("[[:bad:]]", "bad_pattern"),
        ("x**", "bad_pattern"),
    ],
)
def test_what_cannot_be_bounded_is_refused_at_its_field(look, pattern, op, code):
    answer = look(pattern, op)
    assert answer.status_code == 422
    assert answer.get_json()["error"]["detail"][0]["code"] == code
    assert answer.get_json()["error"]["detail"][0]["field"] == "matchers.0"


@pytest.mark.parametrize("pattern", ["(" * 400 + "x" + ")" * 400, "(?:a|aa)+b", "(a*)*b", "(x+x+)+y", "a{1000}"])
def test_what_is_bounded_is_carried_out(call, look, pattern):
    call("POST", "/api/alerts", DISK | {"labels": {"host": "a" * 900}})
    answer = look(pattern)
    assert answer.status_code == 200, answer.get_json()
    assert (answer.get_json()["item_count"], answer.get_json()["complete"]) == (0, True)


def test_patterns_that_are_too_large_together_are_refused(look):
    answer = look("a{900}", copies=3)
    assert answer.status_code == 422
    assert answer.get_json()["error"]["detail"][0]["code"] == "patterns_too_large"
    assert look("a", copies=101).get_json()["error"]["detail"][0]["code"] == "too_many_matchers"


def test_a_pattern_of_more_than_its_length_is_refused_before_it_is_read(look, monkeypatch):
    monkeypatch.setattr(patterns, "_compiled", lambda _: pytest.fail("it was compiled"))
    assert look("a" * 1001).status_code == 422


def test_a_preview_that_is_not_whole_says_so(call, look, monkeypatch):
    for number in range(3):
        call("POST", "/api/alerts", DISK | {"title": f"Disk {number}", "labels": {"host": f"db-{number}"}})
    assert look("db-.*").get_json()["complete"] is True
    monkeypatch.setattr(silence_preview, "MAX_OPEN", 2)
    answer = look("db-.*").get_json()
    assert (answer["item_count"], answer["complete"]) == (2, False)


def test_a_silence_that_was_switched_off_is_shown_and_renewed(call):
    matchers = [{"label": "host", "op": "=~", "value": "db-.*"}]
    made = call("POST", "/api/alerts/silences", {"matchers": matchers, "seconds": 600}).get_json()
    assert (made["state"], made["disabled_code"]) == ("active", None)
    with system_scope("as an earlier version stored it"):
        silence = db.session.get_one(AlertSilence, made["id"])
        silence.matchers = [{"label": "host", "op": "=~", "value": "(?=d)db-1"}]
        db.session.commit()
    assert call("POST", "/api/alerts", DISK).get_json()["decision"] == "sent"
    shown = call("GET", f"/api/alerts/silences/{made['id']}").get_json()
    assert (shown["state"], shown["disabled_code"]) == ("disabled", "bad_pattern")
    listed = call("GET", "/api/alerts/silences", state="disabled").get_json()["silences"]
    assert [one["id"] for one in listed] == [made["id"]]
    changed = call("PATCH", f"/api/alerts/silences/{made['id']}", {"matchers": matchers}).get_json()
    assert (changed["state"], changed["disabled_code"]) == ("active", None)


def test_a_policy_with_a_pattern_that_cannot_be_bounded_is_refused(client, operator):
    operator.role = "admin"
    callers.commit()
    body = {"name": "One", "matchers": [{"label": "host", "op": "=~", "value": "a{5000000}"}]}
    answer = client.post("/api/alerts/policies", json=body, headers=callers.signed_in(operator))
    assert answer.status_code == 422
    assert answer.get_json()["error"]["detail"][0]["code"] == "pattern_too_large"


def test_previews_take_turns_and_one_whose_turn_does_not_come_is_told_so(look, monkeypatch):
    monkeypatch.setattr(silence_preview, "PATIENCE_SECONDS", 0.0)
    with silence_preview.TURN:
        answer = look("a+")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["code"] == "too_busy"
    assert answer.headers["Retry-After"] == "2"
    assert look("a+").status_code == 200


def test_the_turn_passes_on_where_a_preview_fails(look, monkeypatch):
    monkeypatch.setattr(silence_preview, "PATIENCE_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(silence_preview.matching, "read", lambda _: [][0])
        assert look("a+").status_code == 500
    assert look("a+").status_code == 200
