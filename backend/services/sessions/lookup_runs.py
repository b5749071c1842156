"""Carrying out look-ups over an account's connection, at the pace that `services.accounts.lookups` keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import select

from backend.channels.inbound import Person
from backend.channels.telegram_user import lookups as asking
from backend.channels.telegram_user.connection import ConnectionLost, KeyUnknown, NotConnected, Refusal
from backend.channels.telegram_user.differences import Peer
from backend.channels.telegram_user.errors import LOGGED_OUT, RESTRICTED, seconds_of, word_of
from backend.channels.telegram_user.lookups import Answer, Requirement
from backend.core import clock, failpoints
from backend.core.database import db
from backend.models import AccountLookup, ContactPoint
from backend.services.accounts import health, lookups, peers
from backend.services.accounts.lookups import FoundPerson
from backend.services.sessions.served_account import ServedAccount

_LIMITED: Final = timedelta(hours=1)
"""Telegram names no time when it refuses to import contacts."""
_BROKEN: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Question:
    lookup_id: int
    kind: str
    value: str
    add_to_contacts: bool


class LookupRuns:
    """Asks what is due, one question at a time for each account."""

    def __init__(self, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._in_thread = in_thread

    def waiting(self, sender_ids: Sequence[int], now: datetime) -> list[int]:
        """Those of these senders that have something to look up now, in the system scope."""
        due = (AccountLookup.sender_id.in_(sender_ids), AccountLookup.state != "done", AccountLookup.next_at <= now)
        return list(db.session.scalars(select(AccountLookup.sender_id).where(*due).distinct()))

    async def run(self, account: ServedAccount) -> float | None:
        """Asks the next question of an account, if it may; returns after how many seconds to come again, None where
        nothing is left. Raises what breaks the connection, after the question was put off."""
        sender_id, epoch = account.served.sender_id, account.lease.epoch
        question = await self._in_thread(lambda: _begin(sender_id, epoch))
        if not isinstance(question, _Question):
            return None if question is None else float(question)
        lookup_id = question.lookup_id
        try:
            answer = await _ask(account, question)
            requirement = await _requirement(account, answer)
        except Refusal as error:
            await self._in_thread(partial(_refused, sender_id, lookup_id, epoch, error))
            if word_of(error) in LOGGED_OUT:
                raise
            return lookups.EVERY.total_seconds()
        except (NotConnected, ConnectionLost, KeyUnknown):
            await self._in_thread(lambda: lookups.put_off(lookup_id, epoch, clock.now() + _BROKEN))
            raise
        failpoints.hit("sessions.lookup_answered")
        await self._in_thread(lambda: _finish(sender_id, lookup_id, epoch, question, answer, requirement))
        return lookups.EVERY.total_seconds()


def _begin(sender_id: int, epoch: int) -> _Question | float | None:
    """The question to ask now; or for how many seconds to wait; or None where nothing is due."""
    account = health.lock(sender_id)
    if account is None:
        return None
    now = clock.now()
    lookup = lookups.begin(account, epoch, now)
    if lookup is None:
        paused = account.lookups_paused_until
        opens = max(lookups.next_moment(account.quota_key, now), paused or now)
        return None if opens <= now else min((opens - now).total_seconds(), 60.0)
    point = db.session.get(ContactPoint, lookup.contact_point_id)
    if point is None:
        return None
    return _Question(lookup.id, point.kind, point.value, lookup.add_to_contacts)


async def _ask(account: ServedAccount, question: _Question) -> Answer:
    if question.kind == "phone":
        return await asking.by_phone(account.connection, question.value, add_to_contacts=question.add_to_contacts)
    return await asking.by_username(account.connection, question.value)


async def _requirement(account: ServedAccount, answer: Answer) -> Requirement | None:
    """What it takes to write to the person first; None where nobody was found, or Telegram does not say."""
    if answer.person is None:
        return None
    try:
        known = await asking.requirements(account.connection, [Peer(answer.person.id, answer.person.access_hash)])
    except Refusal as error:
        if word_of(error) in LOGGED_OUT:
            raise
        return None
    return known[0] if known else None


def _finish(
    sender_id: int, lookup_id: int, epoch: int, question: _Question, answer: Answer, requirement: Requirement | None
) -> None:
    person = None
    if answer.person is not None:
        facts = answer.person.facts
        named = Person(str(answer.person.id), str(facts.get("name") or ""), username=facts.get("username"))
        person = FoundPerson(named, answer.person.access_hash, question.kind)
    if not lookups.finish(lookup_id, epoch, answer.result, person):
        return
    if answer.result == "limited":
        health.signal(sender_id, "flood_wait", seconds=_LIMITED.total_seconds(), on_lookup=True)
    lookup = db.session.get(AccountLookup, lookup_id)
    if requirement is not None and lookup is not None and lookup.identity_id is not None:
        peer = peers.find(sender_id, lookup.identity_id)
        if peer is not None:
            peers.note_requirement(peer, requirement.kind, requirement.stars, clock.now())


def _refused(sender_id: int, lookup_id: int, epoch: int, error: Refusal) -> None:
    """Notes a refusal: after a wait the same is asked again, what is wrong with the number ends as unknown."""
    now, word = clock.now(), word_of(error)
    if (seconds := seconds_of(error)) is not None:
        health.signal(sender_id, "flood_wait", seconds=seconds, on_lookup=True)
        lookups.put_off(lookup_id, epoch, now + timedelta(seconds=seconds))
    elif word in LOGGED_OUT:
        lookups.put_off(lookup_id, epoch, now + _BROKEN)
    elif word in RESTRICTED:
        health.signal(sender_id, RESTRICTED[word])
        lookups.put_off(lookup_id, epoch, now + _LIMITED)
    elif abs(int(error.code or 0)) >= 500:
        lookups.put_off(lookup_id, epoch, now + timedelta(minutes=1))
    else:
        lookups.finish(lookup_id, epoch, "unknown")
