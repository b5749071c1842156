"""The components of every page: `ui.<name>(…)` in a template is the macro of that name in `kit/ui/<name>.html`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from flask.templating import Environment
from markupsafe import Markup

FOLDER: Final = Path(__file__).parent / "templates/kit/ui"
NAMES: Final = frozenset(path.stem for path in FOLDER.glob("*.html"))

STATES: Final = {
    "accepted": ("live", "check"),
    "sent": ("live", "check"),
    "delivered": ("ok", "check-check"),
    "read": ("ok", "check-check"),
    "played": ("ok", "check-check"),
    "replied": ("ok", "reply"),
    "queued": ("idle", "clock"),
    "deferred": ("warn", "clock"),
    "retrying": ("warn", "refresh-cw"),
    "sending": ("live", "send"),
    "skipped": ("idle", "user-x"),
    "failed": ("bad", "x"),
    "suppressed": ("idle", "ban"),
    "unknown": ("warn", "circle-help"),
    "draft": ("idle", "pencil"),
    "scheduled": ("live", "calendar"),
    "running": ("live", "play"),
    "paused": ("warn", "pause"),
    "finished": ("ok", "check"),
    "canceled": ("idle", "ban"),
    "firing": ("bad", "flame"),
    "acked": ("live", "hand"),
    "snoozed": ("idle", "clock"),
    "silenced": ("idle", "bell-off"),
    "resolved": ("ok", "check"),
    "active": ("live", "play"),
    "pending": ("idle", "clock"),
    "expired": ("idle", "ban"),
    "disabled": ("bad", "ban"),
    "no_telegram": ("idle", "user-x"),
    "stopped": ("idle", "hand"),
    "connected": ("ok", "check"),
    "waiting": ("live", "clock"),
    "limited": ("bad", "octagon-alert"),
    "frozen": ("bad", "lock"),
    "needs_login": ("warn", "key-round"),
    "unconfirmed": ("warn", "smartphone"),
    "reading": ("live", "clock"),
    "mapping": ("warn", "hand"),
    "checked": ("live", "list-checks"),
    "done": ("ok", "check"),
    "undone": ("idle", "undo-2"),
    "consent": ("ok", "shield-check"),
    "consent_ends": ("warn", "shield-alert"),
    "consent_over": ("warn", "shield-off"),
    "no_consent": ("idle", "shield-off"),
    "withdrawn": ("bad", "shield-x"),
    "critical": ("bad", "flame"),
    "warning": ("warn", "triangle-alert"),
    "info": ("idle", "bell"),
}
"""Each state of the product with its tone and icon; the word is `console.state.<state>`."""


class Components:
    """The global `ui` of the templates. A component is read when it is first used, and again when its file has changed
    where templates are reloaded."""

    states = STATES

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        if name not in NAMES:
            raise AttributeError(name)
        macro: Callable[..., Markup] = getattr(self._environment.get_template(f"kit/ui/{name}.html").module, name)
        return macro
