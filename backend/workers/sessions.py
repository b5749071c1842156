"""The role `sessions`: the connections of persons' accounts, and the dispatch loop that sends over them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import config
from backend.core.config import ConfigurationError, Settings
from backend.core.database import db, system_scope
from backend.core.leases import LONG, LeaseKeeper
from backend.core.logging import get_logger
from backend.models import Account, AccountLogin, Sender

log = get_logger(__name__)
VERSION: Final = "1"
"""What Telegram's list of sessions shows beside the device."""
CONNECTIONS: Final = 8
"""Operations at once: an account's are one after the other."""
IDLE_SECONDS: Final = 1.0
"""Between two questions whether there is an account."""
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


class AccountsRole:
    """The role's loop. Until there is an account, or somebody connects one, nothing is imported and little asked."""

    def __init__(self, app: Flask, name: str | None, predecessor: str | None) -> None:
        self._app = app
        self._name = name
        self._predecessor = predecessor
        self._stopping = threading.Event()
        self._stop_dispatching: Callable[[], None] | None = None

    def run(self) -> None:
        """Runs until `stop`. Raises RuntimeError when the connections' thread ended by an unexpected error."""
        while not self._stopping.is_set() and not self._is_needed():
            self._stopping.wait(IDLE_SECONDS)
        if not self._stopping.is_set():
            self._serve()

    def stop(self) -> None:
        """Has `run` end; safe from any thread."""
        self._stopping.set()
        if self._stop_dispatching is not None:
            self._stop_dispatching()

    def _is_needed(self) -> bool:
        with self._app.app_context(), system_scope("the process of accounts serves all workspaces"):
            try:
                live = select(Account.id).where(Account.deleted_at.is_(None)).limit(1)
                logins = select(AccountLogin.id).where(AccountLogin.answered_number < AccountLogin.command_number)
                return any(db.session.execute(query).first() is not None for query in (live, logins.limit(1)))
            except (DBAPIError, PoolTimeout) as error:
                log.warning("database_away", error=type(error).__name__)
                return False

    def _serve(self) -> None:
        # Imported here: the library for MTProto takes a hundred megabytes, which no other role should pay.
        from backend.channels import registry
        from backend.channels.telegram_user.channel import TelegramUser
        from backend.services.accounts import CHANNEL
        from backend.services.dispatch.dispatcher import Dispatcher
        from backend.services.dispatch.profile import DispatchProfile, with_connections
        from backend.services.files import storage_of_instance
        from backend.services.sessions.hub import AccountHub
        from backend.services.sessions.login_commands import LoginCommands

        keepers: list[LeaseKeeper] = []
        hub = AccountHub(
            self._app.app_context,
            lambda: keepers[0].held() if keepers else {},
            VERSION,
            LoginCommands().run,
            on_end=self.stop,
        )
        profile = DispatchProfile(
            channels=with_connections,
            lease=LONG,
            quota_key=quota_key_of,
            is_resident=True,
            before_release=hub.release,
        )
        dispatcher = Dispatcher(
            self._app.app_context,
            storage_of_instance().open,
            profile=profile,
            connections=CONNECTIONS,
            owner=self._name,
            predecessor=self._predecessor,
        )
        keepers.append(dispatcher.keeper)
        registry.put(CHANNEL, TelegramUser(hub))
        self._stop_dispatching = dispatcher.stop
        if self._stopping.is_set():
            return
        hub.start()
        try:
            dispatcher.run()
        finally:
            hub.stop()
        if hub.is_broken:
            raise RuntimeError("the thread of the accounts' connections ended")


def loop(
    app: Flask, settings: Settings, name: str | None, predecessor: str | None
) -> tuple[Callable[[], None], Callable[[], None]]:
    """What runs the role, and what makes that end from another thread. Raises ConfigurationError."""
    require_safe(settings)
    role = AccountsRole(app, name, predecessor)
    return role.run, role.stop
