"""A person's Telegram link, as the API shows it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from backend.http.schemas.base import Id, Input, Instant, Output

Success = Literal["success"]
_BOT = Field(
    default=None,
    min_length=1,
    max_length=100,
    description="A bot of the workspace by id, name or username; by default the instance's own",
)


class PersonQuery(Input):
    """Whom it is about: the caller, unless somebody else is named. That takes the scope `people:act`."""

    user_id: Id | None = Field(default=None, description="A person of the workspace")
    external_user_id: str | None = Field(
        default=None, min_length=1, max_length=200, description="The host application's own id of a person"
    )


class BotQuery(PersonQuery):
    """Which bot is meant, and whose link."""

    bot: str | None = _BOT


class LinkQuery(BotQuery):
    """Also whether the address is wanted as a picture."""

    qr: bool = Field(default=False, description="Also answer the address as a QR code, in SVG")


class LinkAddress(Output):
    """Where a person goes to link their Telegram."""

    status: Success = "success"
    linking_url: str = Field(examples=["https://t.me/example_bot?start=user_1_EXAMPLE"])
    token: str = Field(
        description="Single-use, good for ten minutes; `user_<id>_<secret>`", examples=["user_1_EXAMPLE"]
    )
    instructions: str = Field(examples=["Open the link and tap Start."])
    bot_username: str
    expires_at: Instant
    qr: str | None = Field(default=None, description="`linking_url` as an SVG picture, with `qr=1`")


def _as_text(value: object) -> object:
    """Chat ids are strings here, and numbers in everything that Telegram itself says."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class VerifyIn(PersonQuery):
    """A token, and the chat that is said to have redeemed it."""

    token: str = Field(min_length=1, max_length=200, examples=["user_1_EXAMPLE"])
    chat_id: Annotated[str, BeforeValidator(_as_text)] = Field(
        pattern=r"^-?[1-9][0-9]{0,17}$", examples=["123456789"], description="A string; a number is taken as one"
    )


class Verified(Output):
    """The chat is linked."""

    status: Success = "success"
    message: str = Field(examples=["Telegram account linked successfully"])
    telegram_enabled: bool = True


class StatusOut(Output):
    """Whether notifications can reach the person, and where."""

    telegram_enabled: bool
    telegram_chat_id: str | None = None
    linked_at: Instant | None = None
    state: str = Field(description="`none`, `active`, `paused` or `blocked`", examples=["active"])
    message: str | None = Field(default=None, description="What there is to know or do; absent when all is well")
    code: str | None = Field(default=None, description="Why it is blocked or gone, as a code")
    chat_kind: str | None = Field(default=None, description="`private`, `group` or `supergroup`")
    bot_username: str | None = None


class Done(Output):
    """It is done, or stored to be done."""

    status: Success = "success"
    message: str


class CheckOut(Output):
    """One line of the checklist; `ok` is null where it is not known or does not matter."""

    check: str = Field(examples=["token_valid"])
    ok: bool | None
    detail: str = Field(examples=["Telegram accepts the token."])


class Diagnostics(Output):
    """The checklist, made just now."""

    status: Success = "success"
    ok: bool = Field(description="Whether nothing on the list is wrong")
    checks: list[CheckOut]
