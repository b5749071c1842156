"""Signing in, and what people say about themselves."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from backend.http.schemas.base import Input, Instant, Output

Email = Annotated[str, Field(min_length=3, max_length=254, examples=["kim@example.com"])]
Password = Annotated[
    str, Field(max_length=1024, examples=["correct horse battery"], json_schema_extra={"format": "password"})
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Field(examples=["Kim Minji"])
]
Locale = Literal["en", "ko"]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("This is not the name of an IANA time zone, such as Asia/Seoul.")
    return name


Zone = Annotated[str, AfterValidator(_known_zone), Field(max_length=64, examples=["Asia/Seoul"])]


class Registration(Input):
    """A person who opens a workspace."""

    email: Email
    password: Password
    name: Name
    workspace: Annotated[Name, Field(description="The name of the new workspace", examples=["Seaside Coffee"])]


class Login(Input):
    """What a person signs in with."""

    email: Annotated[str, Field(min_length=1, max_length=254, examples=["kim@example.com"])]
    password: Password


class WorkspaceOut(Output):
    """A team and everything it owns."""

    id: int
    name: str


class Me(Output):
    """The person who is calling."""

    id: int
    email: str | None
    name: str
    role: str = Field(examples=["admin"], description="viewer, operator or admin")
    is_owner: bool = Field(description="Whether this person owns the whole instance")
    locale: str = Field(examples=["ko"])
    timezone: str = Field(examples=["Asia/Seoul"])
    workspace: WorkspaceOut


class TokenPair(Output):
    """The access token lives an hour, the refresh token 30 days from its last use."""

    access_token: str = Field(examples=["EXAMPLE.ACCESS.TOKEN"])
    refresh_token: str = Field(examples=["EXAMPLE.REFRESH.TOKEN"])


class SignedIn(TokenPair):
    """The tokens, and whom they are for."""

    user: Me


class ProfileChange(Input):
    """What is to be different; fields left out stay."""

    name: Name | None = None
    locale: Locale | None = None
    timezone: Zone | None = None


class PasswordChange(Input):
    """The password in force, and the one to take its place."""

    current_password: Password
    new_password: Password


class PasswordResetRequest(Input):
    """The account whose password is forgotten."""

    email: Email


class PasswordResetConfirmation(Input):
    """The token of a reset link, and the new password."""

    token: Annotated[str, Field(min_length=1, max_length=200, examples=["EXAMPLE-RESET-TOKEN"])]
    password: Password


class Status(Output):
    """Done."""

    status: str = Field(examples=["success"])
    message: str


class ResetLinkOut(Output):
    """A link to hand to the person, shown once; with a mail server it goes to the person and is not shown."""

    mailed: bool = Field(description="It was sent to the person's address")
    link: str | None = Field(description="Null where it was mailed, and in the replay of an `Idempotency-Key`")
    token: str | None
    expires_at: Instant
