"""How much a message of an account may hold, and how fast one writes."""

from __future__ import annotations

from typing import Final

from backend.channels.base import Limits, Rate

TEXT_UNITS: Final = 4096
"""UTF-16 units of a message."""
LIMITS: Final = Limits(per_sender=(Rate(20, 60.0),), per_chat=(Rate(1, 1.0),))
"""Telegram publishes no rates for accounts: these are a person's, who types fast."""
