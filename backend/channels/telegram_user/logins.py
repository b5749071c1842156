"""Logging in to an account: by a code, by a password behind it, or by a picture that a logged-in device scans.

Each step has a connection of its own over the same session, so that any process can take the next one: the session is
kept after each, because it changes when the account lives in another data center.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from telethon import password as secure_remote_password
from telethon.tl import functions, types

from backend.channels.telegram_user import server, session_text
from backend.channels.telegram_user.connection import (
    AccountConnection,
    ConnectionLost,
    KeyUnknown,
    NotConnected,
    Refusal,
)
from backend.channels.telegram_user.errors import seconds_of, word_of
from backend.channels.telegram_user.projection import name_of
from backend.channels.telegram_user.session_text import SessionData

_SENT_TO: Final = {
    "SentCodeTypeApp": "app",
    "SentCodeTypeEmailCode": "email",
    "SentCodeTypeSms": "sms",
}
_CODES: Final = {
    "PHONE_NUMBER_INVALID": "phone_invalid",
    "PHONE_NUMBER_UNOCCUPIED": "phone_invalid",
    "PHONE_NUMBER_BANNED": "phone_banned",
    "PHONE_NUMBER_FLOOD": "login_flood",
    "PHONE_PASSWORD_FLOOD": "login_flood",
    "PHONE_CODE_INVALID": "code_wrong",
    "PHONE_CODE_EMPTY": "code_wrong",
    "PHONE_CODE_EXPIRED": "code_expired",
    "PASSWORD_HASH_INVALID": "password_wrong",
    "API_ID_INVALID": "api_id_invalid",
    "API_ID_PUBLISHED_FLOOD": "api_id_published",
    "SESSION_PASSWORD_NEEDED": "password_required",
    "SEND_CODE_UNAVAILABLE": "login_unsupported",
    "UPDATE_APP_TO_LOGIN": "login_unsupported",
}
_FLOOD_SECONDS: Final = 3600
_MIGRATIONS: Final = 2
_TOKEN_SECONDS: Final = 25.0


class LoginRefused(Exception):
    """Telegram refuses a step, or cannot be reached: `code` says why, `retry_after` in seconds when to come again."""

    def __init__(self, code: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.session: str | None = None
        """The session as it was then: the next step goes on with it."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account that a login ended in."""

    session: str = field(repr=False)
    user_id: int
    phone: str | None = field(repr=False)
    username: str | None
    name: str
    is_premium: bool


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code is on its way: app, email or sms. Session and hash belong to the next step."""

    delivery: str
    session: str = field(repr=False)
    code_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Application:
    """Who asks: the application's id and hash at Telegram, and what the list of the account's sessions will show."""

    api_id: int
    api_hash: str = field(repr=False)
    device: str
    version: str
    server: str


async def send_code(application: Application, phone: str) -> CodeSent | LoggedIn:
    """Has Telegram send a code to the phone's account. Raises LoginRefused."""
    async with _connected(application, None) as link:
        request = functions.auth.SendCodeRequest(phone, application.api_id, application.api_hash, types.CodeSettings())
        return _sent(await link.call(request), link)


async def resend_code(application: Application, session: str, phone: str, code_hash: str) -> CodeSent | LoggedIn:
    """Has the code sent by the next way. Raises LoginRefused."""
    async with _connected(application, session) as link:
        return _sent(await link.call(functions.auth.ResendCodeRequest(phone, code_hash)), link)


async def sign_in(application: Application, session: str, phone: str, code_hash: str, code: str) -> LoggedIn:
    """Signs in by the code. Raises LoginRefused, with `password_required` for an account that has a password."""
    async with _connected(application, session) as link:
        answer = await link.call(functions.auth.SignInRequest(phone, code_hash, code))
        if name_of(answer) != "Authorization":
            raise LoginRefused("phone_invalid")
        return _logged_in(answer.user, link)


async def check_password(application: Application, session: str, password: str) -> LoggedIn:
    """Signs in by the password behind the code. Raises LoginRefused."""
    async with _connected(application, session) as link:
        question = await link.call(functions.account.GetPasswordRequest())
        answer = await asyncio.to_thread(secure_remote_password.compute_check, question, password)
        return _logged_in((await link.call(functions.auth.CheckPasswordRequest(answer))).user, link)


async def whose(application: Application, session: str) -> LoggedIn | None:
    """The account that a session is logged in to; None where it is not. Raises LoginRefused where nobody can tell."""
    try:
        async with _connected(application, session) as link:
            [user] = await link.call(functions.users.GetUsersRequest([types.InputUserSelf()]))
            return _logged_in(user, link)
    except LoginRefused as refused:
        if refused.code in ("session_over", "password_required"):
            return None
        raise


async def log_out(application: Application, session: str) -> None:
    """Ends the session at Telegram. Raises LoginRefused where it cannot be reached; one that is over is fine."""
    try:
        async with _connected(application, session) as link:
            await link.call(functions.auth.LogOutRequest())
    except LoginRefused as refused:
        if refused.code != "session_over":
            raise


async def scan(
    application: Application,
    show: Callable[[str, str, int], Awaitable[None]],
    *,
    seconds: float,
) -> LoggedIn:
    """Shows addresses for a QR code until a device of the account scanned one: `show(address, session, expires)`, with
    the moment in seconds since 1970. Raises LoginRefused, `password_required` with the session shown last."""
    async with _connected(application, None) as link, asyncio.timeout(seconds):
        shown: tuple[str, int] | None = None
        while True:
            link.pushed.clear()
            answer = await link.call(
                functions.auth.ExportLoginTokenRequest(application.api_id, application.api_hash, [])
            )
            if name_of(answer) == "LoginTokenMigrateTo":
                token = answer.token
                await link.move(answer.dc_id)
                if shown is not None:
                    # The next call may log this session in: it is kept before, so that none is lost with the process.
                    await show(shown[0], link.session, shown[1])
                answer = await link.call(functions.auth.ImportLoginTokenRequest(token))
            if name_of(answer) == "LoginTokenSuccess":
                return _logged_in(answer.authorization.user, link)
            token = base64.urlsafe_b64encode(answer.token).decode("ascii").rstrip("=")
            shown = f"tg://login?token={token}", int(answer.expires.timestamp())
            await show(shown[0], link.session, shown[1])
            await link.wait_for_push(_TOKEN_SECONDS)


class _Link:
    """A login's connection, which follows the account to its data center."""

    def __init__(self, application: Application, session: SessionData) -> None:
        self._application = application
        self._session = session
        self._connection: AccountConnection | None = None
        self.pushed = asyncio.Event()

    @property
    def session(self) -> str:
        """The session as it is kept."""
        return session_text.dump(self._connection.session if self._connection else self._session)

    async def open(self) -> None:
        """Connects. Raises LoginRefused."""
        app = self._application
        await asyncio.to_thread(server.trust_key, app.server)
        self._connection = AccountConnection(
            self._session,
            app.api_id,
            device=app.device,
            version=app.version,
            on_push=lambda update: self.pushed.set(),
        )
        await self._connection.connect()

    async def call(self, request: Any) -> Any:
        """The answer, from the data center where the account lives."""
        for _ in range(_MIGRATIONS):
            try:
                return await self._open().call(request)
            except Refusal as refusal:
                number = getattr(refusal, "new_dc", None)
                if number is None:
                    raise
                await self.move(int(number))
        return await self._open().call(request)

    async def move(self, dc: int) -> None:
        """Goes on at another data center, with a new key."""
        config = self._open().config
        option = next(
            (
                option
                for option in config.dc_options
                if option.id == dc and not option.ipv6 and not option.media_only and not option.cdn
            ),
            None,
        )
        if option is None:
            raise LoginRefused("login_unsupported")
        await self.close()
        self._session = SessionData(dc, option.ip_address, option.port)
        await self.open()

    async def wait_for_push(self, seconds: float) -> None:
        """Waits until Telegram says that something happened, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.pushed.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Disconnects."""
        if self._connection is not None:
            await self._connection.disconnect()

    def _open(self) -> AccountConnection:
        if self._connection is None:
            raise NotConnected
        return self._connection


@asynccontextmanager
async def _connected(application: Application, session: str | None) -> AsyncIterator[_Link]:
    address = server.first_address(application.server)
    data = session_text.load(session) if session else SessionData(address.dc, address.host, address.port)
    link = _Link(application, data)
    try:
        await link.open()
        yield link
    except Refusal as refusal:
        refused = _refused(refusal)
        refused.session = link.session
        raise refused from None
    except (NotConnected, ConnectionLost, KeyUnknown, server.ServerMisconfigured):
        raise LoginRefused("try_again") from None
    except TimeoutError:
        raise LoginRefused("code_expired") from None
    finally:
        await link.close()


def _refused(refusal: Any) -> LoginRefused:
    if (seconds := seconds_of(refusal)) is not None:
        return LoginRefused("login_flood", int(seconds))
    word = word_of(refusal)
    if word in ("AUTH_KEY_UNREGISTERED", "SESSION_REVOKED", "SESSION_EXPIRED", "AUTH_KEY_INVALID"):
        return LoginRefused("session_over")
    code = _CODES.get(word, "try_again" if abs(int(refusal.code or 0)) >= 500 else "login_unsupported")
    return LoginRefused(code, _FLOOD_SECONDS if code == "login_flood" else None)


def _sent(answer: Any, link: _Link) -> CodeSent | LoggedIn:
    if name_of(answer) == "SentCodeSuccess":
        return _logged_in(answer.authorization.user, link)
    delivery = _SENT_TO.get(name_of(getattr(answer, "type", None)))
    if name_of(answer) != "SentCode" or delivery is None:
        # Paid messages, an e-mail address that would have to be set up first, calls: the phone can do these.
        raise LoginRefused("login_unsupported")
    return CodeSent(delivery, link.session, answer.phone_code_hash)


def _logged_in(user: Any, link: _Link) -> LoggedIn:
    return LoggedIn(
        session=link.session,
        user_id=user.id,
        phone=f"+{user.phone}" if user.phone else None,
        username=user.username,
        name=" ".join(filter(None, (user.first_name, user.last_name))),
        is_premium=bool(user.premium),
    )
