"""A bot's token: its form, and the bot's own id, which it begins with."""

from __future__ import annotations

import re
from typing import Final

# Telegram's own form; "/test" after it addresses the test environment.
_TOKEN: Final = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{1,128}(/test)?")


def bot_id_of(token: str) -> str | None:
    """The bot's own id, which a token begins with; None for what is not a token."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None
