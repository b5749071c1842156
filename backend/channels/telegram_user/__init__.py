"""A person's own Telegram account, by MTProto.

`spec` declares the channel; `parsing` says what a stored update means, `stored` what is stored of one. Telethon, the
library for MTProto, is imported by the modules that speak to Telegram, and only in the process that holds connections:
it takes a hundred megabytes.
"""

from backend.channels.telegram_user.spec import NAME, SPEC

__all__ = ["NAME", "SPEC"]
