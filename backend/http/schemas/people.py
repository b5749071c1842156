"""The people of a workspace, their tokens, and what was done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from backend.http.schemas.auth import Name
from backend.http.schemas.base import Input, Instant, Moment, Output, PageQuery

Role = Literal["viewer", "operator", "admin"]
Scope = Literal["read", "write", "people:act", "notify:critical", "jobs:trigger"]


class Person(Output):
    """Somebody of the workspace."""

    id: int
    email: str | None = Field(description="Null for a person who does not sign in")
    name: str
    role: str = Field(examples=["operator"])
    is_owner: bool
    external_user_id: str | None = Field(description="The host application's own id for this person")
    locale: str
    timezone: str
    created_at: Instant
    disabled_at: Instant | None


class PeopleQuery(PageQuery):
    """Which people."""

    role: Role | None = None
    external_user_id: str | None = Field(default=None, max_length=200)


class People(Output):
    """A page of people, the oldest first."""

    people: list[Person]
    next_cursor: str | None


class PersonChange(Input):
    """What is to be different; fields left out stay."""

    name: Name | None = None
    role: Role | None = None
    disabled: StrictBool | None = None


class TokenRequest(Input):
    """A personal access token to make."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20, examples=[["read", "write", "people:act"]])]
    expires_at: Annotated[
        Moment | None, Field(description="Never, when left out", examples=["2030-01-01T00:00:00Z"])
    ] = None


class TokenRename(Input):
    """A token's new name."""

    name: Name


class TokenOut(Output):
    """A personal access token, without its secret."""

    id: int
    name: str
    prefix: str = Field(examples=["sbp_x7Kq2a"], description="How the secret begins")
    scopes: list[str] = Field(examples=[["read", "write"]])
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None = Field(description="To within five minutes")


class IssuedToken(TokenOut):
    """A new token; `token` is shown this once."""

    token: str | None = Field(description="The secret; null in the replay of an `Idempotency-Key`")


class Tokens(Output):
    """A page of the caller's tokens, the newest first."""

    tokens: list[TokenOut]
    next_cursor: str | None


class AuditQuery(PageQuery):
    """Which entries."""

    action: str | None = Field(
        default=None, max_length=100, description="A code or its family: `person` finds `person.disabled`"
    )
    actor: str | None = Field(default=None, max_length=100, examples=["user:1"])
    subject: str | None = Field(default=None, max_length=200, examples=["user:2"])


class AuditEntryOut(Output):
    """Something that was done."""

    id: int
    at: Instant
    actor: str = Field(examples=["user:1"])
    action: str = Field(examples=["person.disabled"])
    subject: str | None
    detail: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})]


class Audit(Output):
    """A page of entries, the newest first."""

    entries: list[AuditEntryOut]
    next_cursor: str | None
