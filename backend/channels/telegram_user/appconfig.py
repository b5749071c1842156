"""What Telegram's configuration says of an account: whether it is frozen, until when, and where to appeal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telethon.tl import functions

from backend.channels.telegram_user.connection import AccountConnection


@dataclass(frozen=True, slots=True)
class Freeze:
    """Seconds since 1970; all None for an account that is not frozen. An account that does not appeal is deleted at
    `until`."""

    since: int | None = None
    until: int | None = None
    appeal_url: str | None = None


async def freeze(connection: AccountConnection) -> Freeze:
    """Whether the account is frozen. Raises what `AccountConnection.call` raises."""
    answer = await connection.call(functions.help.GetAppConfigRequest(hash=0))
    entries = getattr(getattr(answer, "config", None), "value", None) or ()
    values = {entry.key: getattr(entry.value, "value", None) for entry in entries}
    since, until, url = (values.get(f"freeze_{name}") for name in ("since_date", "until_date", "appeal_url"))
    if not since:
        return Freeze()
    return Freeze(_seconds(since), _seconds(until), str(url) if url else None)


def _seconds(value: Any) -> int | None:
    return int(value) if value else None
