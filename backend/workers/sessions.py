"""The role `sessions`: the connections of persons' accounts, and the dispatch loop that sends over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from flask import Flask
from sqlalchemy import select

from backend.core import config
from backend.core.config import ConfigurationError, Settings
from backend.core.database import db, system_scope
from backend.core.leases import LONG
from backend.core.logging import get_logger
from backend.models import Account, Sender

log = get_logger(__name__)
VERSION: Final = "1"
"""What Telegram's list of sessions shows beside the device."""
CONNECTIONS: Final = 8
"""Operations at once: an account's are one after the other."""
TEST_ONLY: Final = ("TEST_CLOCK_FILE", "TEST_ACCOUNT_PACE", "FAILPOINTS_FILE")
"""Variables under which nothing may speak to Telegram's own servers."""


def require_safe(settings: Settings) -> None:
    """Refuses to speak to Telegram's own servers with a clock that tests move, a relaxed pace, or failpoints. Raises
    ConfigurationError."""
    if settings.telegram_mtproto_server:
        return
    present = [name for name in TEST_ONLY if config.test_env(name)]
    if present:
        raise ConfigurationError(f"{', '.join(present)} may be set only together with TELEGRAM_MTPROTO_SERVER")


def quota_key_of(sender: Sender) -> bytes | None:
    """The key under which the attempts of a sender's account count over the instance."""
    with system_scope("the dispatch loop serves all workspaces"):
        return db.session.scalar(select(Account.quota_key).where(Account.sender_id == sender.id))


def loop(
    app: Flask, settings: Settings, name: str | None, predecessor: str | None
) -> tuple[Callable[[], None], Callable[[], None]]:
    """What runs the role, and what makes that end from another thread. Raises ConfigurationError."""
    require_safe(settings)
    # Imported here: the library for MTProto takes a hundred megabytes, which no other role should pay.
    from backend.channels import registry
    from backend.channels.telegram_user.channel import TelegramUser
    from backend.services.accounts import CHANNEL
    from backend.services.dispatch.dispatcher import Dispatcher
    from backend.services.dispatch.profile import DispatchProfile, with_connections
    from backend.services.files import storage_of_instance
    from backend.services.sessions.hub import AccountHub
    from backend.services.sessions.login_commands import LoginCommands

    commands = LoginCommands()
    profile = DispatchProfile(channels=with_connections, lease=LONG, quota_key=quota_key_of, is_resident=True)
    held: list[Dispatcher] = []
    hub = AccountHub(app.app_context, lambda: held[0].keeper.held() if held else {}, VERSION, commands.run)
    profile = replace(profile, before_release=hub.release)
    dispatcher = Dispatcher(
        app.app_context,
        storage_of_instance().open,
        profile=profile,
        connections=CONNECTIONS,
        owner=name,
        predecessor=predecessor,
    )
    held.append(dispatcher)
    registry.put(CHANNEL, TelegramUser(hub))

    def run() -> None:
        hub.start()
        try:
            dispatcher.run()
        finally:
            hub.stop()

    return run, dispatcher.stop
