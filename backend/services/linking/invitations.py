"""The address at which a person links their Telegram."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import segno

from backend.core import i18n
from backend.core.errors import NotFound, Unavailable
from backend.models import Sender, User
from backend.services.auth.attribution import Attribution
from backend.services.linking.bots import default_bot, named, username_of
from backend.services.linking.tokens import LIFE, issue


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person needs to link a chat. `qr` is the address as an SVG picture where one was asked for."""

    linking_url: str = field(repr=False)
    token: str = field(repr=False)
    instructions: str
    bot_username: str
    expires_at: datetime
    qr: str | None = field(default=None, repr=False)


def bot_for(workspace_id: int, name: str | None) -> Sender | None:
    """The bot that people of this workspace link to: the named one, or the default; None where none is configured.

    Raises NotFound for a name that is no bot of theirs.
    """
    if name is not None and name.strip().lower() != "default":
        return named(workspace_id, name)
    sender = default_bot()
    if sender is None and name is not None:
        raise NotFound("bot_not_found", "There is no such bot.")
    return sender


def invite(by: Attribution, user: User, *, bot: str | None = None, picture: bool = False) -> Invitation:
    """Makes a token and its address. Asks Telegram for the bot's name where it is not known (and commits before that).

    Raises Unavailable (`bot_not_configured`, `bot_unavailable`), NotFound.
    """
    sender = bot_for(user.workspace_id, bot)
    if sender is None:
        raise Unavailable("bot_not_configured", "This instance has no Telegram bot yet.", retry_after=300)
    username = username_of(sender)
    issued = issue(by, user, sender)
    url = f"https://t.me/{username}?start={issued.token}"
    return Invitation(
        linking_url=url,
        token=issued.token,
        instructions=i18n.text(
            "linking.instructions", user.locale, bot=username, minutes=int(LIFE.total_seconds() // 60)
        ),
        bot_username=username,
        expires_at=issued.expires_at,
        qr=segno.make(url, error="m").svg_inline(scale=4, border=2) if picture else None,
    )
