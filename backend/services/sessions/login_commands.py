"""Carrying out the commands of logins, each once: a code that was asked for twice is a code that was burnt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.channels.telegram_user import logins as steps
from backend.channels.telegram_user.logins import Application, CodeSent, LoggedIn, LoginRefused
from backend.core import clock, config, failpoints
from backend.core.leases import owner_name
from backend.core.logging import get_logger
from backend.services.accounts import logins
from backend.services.accounts.logins import Command, ConnectedAccount

log = get_logger(__name__)
Result = TypeVar("Result")
_LOOK_SECONDS: Final = 1.0
_KEEP_SECONDS: Final = 15.0
_STEP_SECONDS: Final = 50.0
"""Less than a claim: whoever takes it over finds this process done with it."""


class Hub(Protocol):
    """What of the hub is needed."""

    version: str
    nudged: asyncio.Event

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Runs a transaction in a thread."""


class LoginCommands:
    """Takes commands as they come, one task for each."""

    def __init__(self) -> None:
        self._owner = owner_name()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, hub: Hub) -> None:
        """Serves logins until it is cancelled."""
        try:
            while True:
                hub.nudged.clear()
                try:
                    while (command := await hub.in_thread(lambda: logins.take(self._owner))) is not None:
                        task = asyncio.create_task(self._carry_out(hub, command))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
                    await hub.in_thread(logins.expire)
                except (DBAPIError, PoolTimeout) as error:
                    log.warning("database_away", error=type(error).__name__)
                    await asyncio.sleep(_LOOK_SECONDS)
                await _pause(hub.nudged)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, hub: Hub, command: Command) -> None:
        """Carries one command out and records the answer, whatever happens."""
        try:
            application = application_of(command, hub.version)
            result: CodeSent | LoggedIn | None = await _adopted(command, application)
            if result is None and command.name == "qr":
                result = await self._scan(hub, command)
            elif result is None:
                async with asyncio.timeout(_STEP_SECONDS):
                    result = await _step(command, application)
            failpoints.hit("sessions.login_answered")
            is_recorded = await hub.in_thread(lambda: _record(command, result))
            if isinstance(result, LoggedIn) and not is_recorded:
                # The person gave it up meanwhile: nothing of it is kept, at Telegram neither.
                await steps.log_out(application, result.session)
        except LoginRefused as refused:
            if command.name == "logout":
                # The claim runs out and it is tried again, until the login is too old.
                log.info("logout_put_off", login_id=command.login_id, code=refused.code)
                return
            state, values = _after_refusal(command, refused)
            await hub.in_thread(lambda: logins.answer(command, state, **values))
        except TimeoutError:
            await hub.in_thread(lambda: logins.answer(command, "failed", error_code="try_again"))
        except (DBAPIError, PoolTimeout) as error:
            # The claim runs out, and whoever takes the command then sees that it was tried.
            log.warning("login_not_recorded", login_id=command.login_id, error=type(error).__name__)
        except Exception as error:
            log.exception("login_defect", login_id=command.login_id, error=type(error).__name__)
            await hub.in_thread(lambda: logins.answer(command, "failed", error_code="try_again"))

    async def _scan(self, hub: Hub, command: Command) -> LoggedIn:
        """Shows QR codes until one is scanned, while the claim is kept."""

        async def show(url: str, session: str, expires: int) -> None:
            moment = datetime.fromtimestamp(expires, UTC)
            if not await hub.in_thread(lambda: logins.show_qr(command, url, session, moment)):
                raise LoginRefused("canceled")

        async def keep() -> None:
            # Waking is what ends it, not an event: nothing else prolongs the claim.
            while await hub.in_thread(lambda: logins.keep_claim(command.login_id, self._owner)):  # noqa: ASYNC110
                await asyncio.sleep(_KEEP_SECONDS)

        keeper = asyncio.create_task(keep())
        try:
            seconds = max(1.0, (command.expires_at - clock.now()).total_seconds())
            return await steps.scan(application_of(command, hub.version), show, seconds=seconds)
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


def application_of(command: Command, version: str) -> Application:
    """As whom a login speaks to Telegram."""
    return Application(
        int(command.settings["api_id"]),
        command.settings["api_hash"],
        logins.device_name(),
        version,
        config.get().telegram_mtproto_server,
    )


async def _adopted(command: Command, application: Application) -> LoggedIn | None:
    """The account that a process logged in to which died before it could record it; None where there is none."""
    if not command.was_tried or command.session is None or command.name not in ("code", "password", "qr"):
        return None
    async with asyncio.timeout(_STEP_SECONDS):
        return await steps.whose(application, command.session)


def _step(command: Command, application: Application) -> Awaitable[CodeSent | LoggedIn | None]:
    phone, session, code_hash, secret = command.phone or "", command.session, command.code_hash, command.secret
    if command.name == "start":
        if command.was_tried:
            # Perhaps a code was sent: a second one would make the first worthless.
            return _refuse("try_again")
        return steps.send_code(application, phone)
    if command.name == "cancel":
        return _nothing() if session is None else _log_out(application, session)
    if session is None:
        return _refuse("try_again")
    if command.name == "logout":
        return _log_out(application, session)
    if command.name == "password":
        return steps.check_password(application, session, secret or "")
    if code_hash is None:
        return _refuse("try_again")
    if command.name == "resend":
        return steps.resend_code(application, session, phone, code_hash)
    return steps.sign_in(application, session, phone, code_hash, secret or "")


async def _log_out(application: Application, session: str) -> None:
    await steps.log_out(application, session)


async def _refuse(code: str) -> None:
    raise LoginRefused(code)


async def _nothing() -> None:
    return None


def _record(command: Command, result: CodeSent | LoggedIn | None) -> bool:
    if isinstance(result, CodeSent):
        return logins.answer(
            command,
            "code_required",
            delivery=result.delivery,
            session=result.session,
            phone_code_hash=result.code_hash,
            error_code=None,
        )
    if result is None:
        if command.name == "logout":
            return logins.answer(command, "done")
        return logins.answer(command, "failed", error_code="canceled")
    account = ConnectedAccount(
        result.session, result.user_id, result.phone, result.username, result.name, result.is_premium
    )
    return logins.complete(command, account)


def _after_refusal(command: Command, refused: LoginRefused) -> tuple[str, dict[str, Any]]:
    """The state of a login after a refusal: what was mistyped may be given again."""
    values = {"error_code": refused.code, "retry_after": refused.retry_after}
    if refused.code == "password_required":
        return "password_required", values | {"error_code": None, "session": refused.session or command.session}
    if refused.code == "code_wrong":
        return "code_required", values
    if refused.code == "password_wrong":
        return "password_required", values
    if refused.code in ("login_flood", "try_again") and command.name in ("code", "resend"):
        return "code_required", values
    return "failed", values


async def _pause(nudged: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await nudged.wait()
    except TimeoutError:
        return
