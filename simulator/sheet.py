"""A spreadsheet behind a deployed Apps Script: `doPost` takes what it is sent, and answers by way of a redirect."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import invalid
from simulator.model import JSON

MODES = ("ok", "script_error", "sign_in", "not_ok")
LONGEST_DELAY = 600.0
_KEPT = 100


@dataclass(slots=True)
class Sheet:
    """`mode` is how the script ends: `ok`; `script_error`, a page in HTML; `sign_in`, a page that asks for a Google
    account; `not_ok`, JSON without success. `delay` is how long it runs, in seconds. `runs` is what it was sent."""

    mode: str = "ok"
    delay: float = 0.0
    runs: list[JSON] = field(default_factory=list)
    answers: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def change(self, values: JSON) -> None:
        """Sets `mode` and `delay`. Raises ControlError 422."""
        mode, delay = values.get("mode", self.mode), values.get("delay", self.delay)
        if mode not in MODES:
            raise invalid(f"mode is one of {', '.join(MODES)}")
        if not isinstance(delay, int | float) or isinstance(delay, bool) or not 0 <= delay <= LONGEST_DELAY:
            raise invalid("delay must be a number of seconds")
        self.mode, self.delay = mode, float(delay)

    def run(self, method: str, body: Any) -> str:
        """One run of the script; the name under which its answer waits, for one request."""
        self.runs.append({"method": method, "body": body})
        name = secrets.token_urlsafe(24)
        self.answers[name] = self.mode
        while len(self.answers) > _KEPT:
            self.answers.popitem(last=False)
        return name

    def describe(self) -> JSON:
        """How it ends, and how often it ran."""
        return {"mode": self.mode, "delay": self.delay, "runs": len(self.runs)}
