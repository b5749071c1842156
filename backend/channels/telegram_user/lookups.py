"""Whose is a phone number or a user name, and what it takes to write to a person first."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from telethon.errors import RPCError
from telethon.tl import functions, types

from backend.channels.telegram_user.connection import AccountConnection
from backend.channels.telegram_user.differences import Peer
from backend.channels.telegram_user.errors import word_of
from backend.channels.telegram_user.projection import KnownPerson, name_of, people_of

Result = Literal["found", "not_found", "hidden_or_none", "unknown", "limited"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What Telegram said. `limited`: it takes no more such questions for a while, without naming how long."""

    result: Result
    person: KnownPerson | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """What it takes to write to a person first: none, premium, stars (how many) or unknown."""

    kind: str
    stars: int | None = None


async def by_phone(connection: AccountConnection, phone: str, *, add_to_contacts: bool) -> Answer:
    """Whose a phone number (E.164) is. With `add_to_contacts` a number that cannot be found is added to the account's
    contacts, which finds more. Raises what `AccountConnection.call` raises."""
    digits = phone.removeprefix("+")
    try:
        answer = await connection.call(functions.contacts.ResolvePhoneRequest(digits))
    except RPCError as error:
        if word_of(error) != "PHONE_NOT_OCCUPIED":
            raise
        # There is no such account, or its owner lets nobody find it.
        return await _by_import(connection, digits) if add_to_contacts else Answer("hidden_or_none")
    return _answer(answer.users, getattr(answer.peer, "user_id", 0))


async def by_username(connection: AccountConnection, username: str) -> Answer:
    """Whose a user name is. Raises what `AccountConnection.call` raises."""
    try:
        answer = await connection.call(functions.contacts.ResolveUsernameRequest(username.removeprefix("@")))
    except RPCError as error:
        if word_of(error) not in ("USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"):
            raise
        return Answer("not_found")
    return _answer(answer.users, getattr(answer.peer, "user_id", 0))


async def requirements(connection: AccountConnection, peers: Sequence[Peer]) -> list[Requirement]:
    """What it takes to write to each of these people first. Raises what `AccountConnection.call` raises."""
    users = [types.InputUser(peer.user_id, peer.access_hash) for peer in peers]
    answers = await connection.call(functions.users.GetRequirementsToContactRequest(users))
    return [_requirement(answer) for answer in answers]


async def _by_import(connection: AccountConnection, digits: str) -> Answer:
    contact = types.InputPhoneContact(secrets.randbits(62), digits, digits, "")
    answer = await connection.call(functions.contacts.ImportContactsRequest([contact]))
    people = people_of(answer.users)
    if people:
        # Known ones are listed as users though nothing was imported.
        return Answer("found", next(iter(people.values())))
    return Answer("limited" if answer.retry_contacts else "unknown")


def _answer(users: Sequence[Any], user_id: int) -> Answer:
    person = people_of(users).get(user_id)
    return Answer("unknown") if person is None else Answer("found", person)


def _requirement(answer: Any) -> Requirement:
    kind = name_of(answer)
    if kind == "RequirementToContactEmpty":
        return Requirement("none")
    if kind == "RequirementToContactPremium":
        return Requirement("premium")
    if kind == "RequirementToContactPaidMessages":
        return Requirement("stars", int(answer.stars_amount))
    return Requirement("unknown")
