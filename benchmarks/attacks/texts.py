"""Texts that cost the square of their length where each character is compared with all before it."""

from __future__ import annotations

from benchmarks.attacks import Attack, Target

_LENGTH = 29_900
_TEXTS = (
    "\U0001f1e6",  # a regional indicator: half a flag
    "\U0001f468\u200d",  # joined emoji
    "\u0301",  # accents without a letter
    "\u1100",  # Korean initials
    "\u0600",  # signs that join what follows
    "\u0915\u094d",  # conjuncts
    "<",
    "<b>",
    "&#x",
    '<a href="http://a.b/">',
    "http://a.bc/",
    "\u202e",
    "\r\n",
)


def _alerts(target: Target) -> None:
    """Eight callers raise alerts whose title, text or annotations are 29,900 characters of a kind."""

    def raise_alerts(piece: str, number: int) -> None:
        text = (piece * _LENGTH)[:_LENGTH]
        target.ask("POST", "/api/alerts", {"title": f"t{number}", "severity": "warning", "text": text})
        annotations = {"summary": text, "description": text}
        alert = {"status": "firing", "labels": {"alertname": text[:8000]}, "annotations": annotations}
        target.ask("POST", "/api/alerts/alertmanager", {"groupKey": f"t{number}", "alerts": [alert] * 3})

    for start in range(0, len(_TEXTS), 8):
        group = list(enumerate(_TEXTS))[start : start + 8]
        target.at_once([lambda number=number, piece=piece: raise_alerts(piece, number) for number, piece in group])
    target.ask("GET", "/api/alerts?limit=200")


def _events(target: Target) -> None:
    """The same as the content of events."""

    def post(piece: str, number: int) -> None:
        data = {"platform": "instagram", "content": (piece * _LENGTH)[:_LENGTH]}
        target.ask("POST", "/api/events", {"type": "post_success", "subject": f"t{number}", "data": data})

    for start in range(0, len(_TEXTS), 8):
        group = list(enumerate(_TEXTS))[start : start + 8]
        target.at_once([lambda number=number, piece=piece: post(piece, number) for number, piece in group])


ATTACKS = (
    Attack("alerts of 29,900 regional indicators and the like", _alerts),
    Attack("events of the same", _events),
)
