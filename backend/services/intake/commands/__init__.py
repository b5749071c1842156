"""What people say to the bot: commands, tokens and buttons, and the bot's answers in their language."""

from backend.services.intake.commands.chat_context import ChatContext, Facts
from backend.services.intake.commands.chat_store import DirectStore
from backend.services.intake.commands.command_parsing import (
    carries_token,
    command_in,
    needs_admin,
    press_needs_admin,
    token_in,
)
from backend.services.intake.commands.links import answer_redemption
from backend.services.intake.commands.router import gone, hint, press, run

__all__ = [
    "ChatContext",
    "DirectStore",
    "Facts",
    "answer_redemption",
    "carries_token",
    "command_in",
    "gone",
    "hint",
    "needs_admin",
    "press",
    "press_needs_admin",
    "run",
    "token_in",
]
