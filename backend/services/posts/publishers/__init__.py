"""Who publishes: Telegram, Facebook and Instagram from here, everything else a host application that is asked to."""

from __future__ import annotations

from typing import Final

from backend.core.errors import Invalid
from backend.services.posts.publishers import facebook, instagram, telegram, webhook
from backend.services.posts.publishers.base import Calling, Draft, HandingOver, Plan, Prepared, Publisher

__all__ = ["CALLING", "HANDING_OVER", "NAMES", "Draft", "Plan", "Prepared", "choose", "get"]

HANDING_OVER: Final[dict[str, HandingOver]] = {"telegram": telegram.PUBLISHER, "webhook": webhook.PUBLISHER}
CALLING: Final[dict[str, Calling]] = {"facebook": facebook.PUBLISHER, "instagram": instagram.PUBLISHER}
_PUBLISHERS: Final[dict[str, Publisher]] = {**HANDING_OVER, **CALLING}
NAMES: Final = tuple(_PUBLISHERS)


def get(name: str) -> Publisher:
    """The publisher of that name. Raises KeyError."""
    return _PUBLISHERS[name]


def choose(workspace_id: int, platform: str, wanted: str | None = None) -> str:
    """Who publishes on this platform: the one that is wanted, else the platform's own, else a host application.

    Raises Invalid: `wrong_publisher`, and `no_publisher` where nobody can.
    """
    named = platform.strip().lower()
    own = named if named in _PUBLISHERS and named != "webhook" else None
    if wanted is not None and wanted not in ("webhook", own):
        raise Invalid.of("publisher", "wrong_publisher", f"{wanted} does not publish on that platform.")
    for name in (wanted,) if wanted else (own, "webhook"):
        if name is not None and _PUBLISHERS[name].is_available(workspace_id):
            return name
    raise Invalid.of(
        "platform",
        "no_publisher",
        "Nobody can publish there: no credentials are set for it, and no webhook listens to post.publish_requested.",
    )
