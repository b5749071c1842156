"""Patterns, stored rules and templates of a tenant that would be programs elsewhere."""

from __future__ import annotations

from typing import Any

from benchmarks.attacks import Attack, Target

_VALUE = "a" * 900
_PREVIEWED = (
    "a{5000000}",
    "a{2147483648}",
    "(" * 400 + ")" * 400,
    "(?:a|aa)+b",
    "((a?){30}){30}b",
    ".*" * 300 + "b",
    "a{1,1000}" * 50,
    "[[:alpha:]]{1000}",
)
_STORED = ("(?:a|aa)+b", ".*.*.*.*b", "(?:.?){200}b")
_TEMPLATES = ("{{" * 1400, "{x!r:>999999999}", "{x:>1000000000}", "{a" + ".b" * 1400 + "}", "<b>" * 900, "{x|" * 900)


def _previews(target: Target) -> None:
    """Eight callers preview patterns over 3,300 alerts."""
    _alerts(target)
    matchers = [[{"label": "x", "op": "=~", "value": pattern}] for pattern in _PREVIEWED]
    rounds = 1 if target.quick else 3
    target.at_once(
        [
            lambda matcher=matcher: [
                target.ask("POST", "/api/alerts/silences/preview", {"matchers": matcher}) for _ in range(rounds)
            ]
            for matcher in matchers
        ]
    )


def _silences(target: Target) -> None:
    """Silences with costly patterns are stored over 3,300 alerts, changed, and ended."""
    _alerts(target)
    silence_ids: list[int] = []
    for pattern in _STORED * 3:
        matchers = [{"label": "x", "op": "=~", "value": pattern}, {"label": "alertname", "op": "=~", "value": ".*A.*"}]
        answer = target.ask("POST", "/api/alerts/silences", {"matchers": matchers, "seconds": 3600})
        silence_ids += [answer["id"]] if isinstance(answer.get("id"), int) else []
        _alerts(target, 100)
    for silence in silence_ids:
        target.ask("DELETE", f"/api/alerts/silences/{silence}")


def _templates(target: Target) -> None:
    """Templates and cron expressions that ask for much."""
    for text in _TEMPLATES * (1 if target.quick else 5):
        target.ask("POST", "/api/notification-types/preview", {"templates": {"en": text}, "data": {"x": _VALUE}})
    for cron in ("*/0 * * * *", "59 23 31 2 *", "0-59/99999999999 * * * *", "* " * 5000, ",".join("1" * 9000)):
        body = {"message": "x", "chat_ids": ["-1001234567890"], "kind": "cron", "cron": cron}
        target.ask("POST", "/api/scheduled-messages", body)


def _alerts(target: Target, count: int = 3300) -> None:
    alerts: list[dict[str, Any]] = [
        {"status": "firing", "labels": {"alertname": f"A{number}", "x": _VALUE}} for number in range(count)
    ]
    for start in range(0, count, 500):
        target.ask("POST", "/api/alerts/alertmanager", {"groupKey": str(start), "alerts": alerts[start : start + 500]})


ATTACKS = (
    Attack("patterns previewed by eight over 3,300 alerts", _previews),
    Attack("silences with costly patterns over 3,300 alerts", _silences),
    Attack("templates and cron expressions that ask for much", _templates),
)
