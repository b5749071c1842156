"""The name of the channel of persons' accounts."""

from __future__ import annotations

from typing import Final

CHANNEL: Final = "telegram_user"
