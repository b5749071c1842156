"""Campaigns in tests: an account that speaks through a provider in memory, people, and a clock that goes from one
planned moment to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from backend.channels import registry
from backend.channels.inbound import Person
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.leases import LONG
from backend.core.work import Turn
from backend.models import (
    Account,
    Campaign,
    CampaignMessage,
    CampaignRecipient,
    Delivery,
    Sender,
    SenderLease,
)
from backend.services import conversations
from backend.services.auth.actor import Actor
from backend.services.campaigns import lifecycle, preflight, records, release
from backend.services.contacts import records as contact_records
from backend.services.dispatch.profile import DispatchProfile
from backend.services.housekeeping import rounds
from tests.http import callers
from tests.support import accounts, engine, factories
from tests.support.fake_channel import FakeChannel

CHANNEL = "telegram_user"
_OF_ACCOUNTS = Delivery.sender_id.in_(select(Sender.id).where(Sender.channel == CHANNEL))
"""Nobody serves the bots here."""
_HELD_SECONDS = 3.0
"""What was tried and stays due for so long is held."""
BASIS = {"basis": "contract", "note": "They ordered from us this year."}


def quota_key_of(sender: Sender) -> bytes | None:
    """The key under which an account's attempts count."""
    with system_scope("a test's profile"):
        key: bytes | None = db.session.scalar(select(Account.quota_key).where(Account.sender_id == sender.id))
        return key


PROFILE = DispatchProfile(channels=lambda: (CHANNEL,), lease=LONG, quota_key=quota_key_of)


@dataclass(frozen=True)
class Named:
    """What is kept of a row: a test goes on after its session was closed."""

    id: int
    sender_id: int = 0
    quota_key: bytes = b""


@dataclass
class Rig:
    """A workspace with an account and its owner; what the account said is in `channel.accepted`."""

    app: Flask
    home: Named
    account: Named
    actor: Actor
    channel: FakeChannel

    def person(self, number: int, **values: Any) -> int:
        """The id of a contact whose Telegram account is known, and whom the account can write to."""
        telegram_id = str(5_000_000 + number)
        given = {"first_name": f"Person{number}", "telegram_user_id": telegram_id, "timezone": "Europe/Berlin"}
        with workspace_scope(self.home.id):
            contact = contact_records.create(factories.by("user:1"), given | values)
            self.identity(telegram_id)
            db.session.commit()
            return contact.id

    def people(self, many: int, first: int = 1, **values: Any) -> list[int]:
        """The ids of so many such contacts."""
        return [self.person(number, **values) for number in range(first, first + many)]

    def identity(self, telegram_id: str) -> int:
        """The identity of a Telegram user."""
        person = conversations_person(telegram_id)
        return conversations.identity_of(CHANNEL, person, workspace_id=self.home.id).id

    def draft(self, contact_ids: Sequence[int], *texts: str, **values: Any) -> Named:
        """A campaign for these contacts; each text after the first comes a day later."""
        given_steps: list[dict[str, Any]] = [
            {"template": text, "delay_days": 0 if index == 0 else 1, "variants": []} for index, text in enumerate(texts)
        ]
        given = {
            "name": "Spring",
            "audience": {"contact_ids": list(contact_ids)},
            "steps": given_steps,
            "account_id": self.account.sender_id,
            "lawful_basis": BASIS,
        }
        with workspace_scope(self.home.id):
            made = records.create(self.actor, given | values)
            db.session.commit()
            return Named(made.id)

    def launch(self, campaign: Named) -> Named:
        """Launches it with a fresh preflight."""
        with workspace_scope(self.home.id):
            made = preflight.make(self.actor, campaign.id)
            lifecycle.launch(self.actor, campaign.id, made.id, accept_end_date=True)
            db.session.commit()
            return campaign

    def recipients(self, campaign: Named) -> list[CampaignRecipient]:
        """The recipients as the database has them, in their order."""
        db.session.rollback()
        with workspace_scope(self.home.id):
            query = select(CampaignRecipient).where(CampaignRecipient.campaign_id == campaign.id)
            return list(
                db.session.scalars(query.order_by(CampaignRecipient.place).execution_options(populate_existing=True))
            )

    def states(self, campaign: Named) -> list[tuple[str, str]]:
        """State and reason of each recipient."""
        return [(row.state, row.reason) for row in self.recipients(campaign)]

    def turn(self) -> int:
        """One turn of the work."""
        return release.drain(Turn(60))

    def run(self, until: datetime | None = None, most: int = 150) -> list[datetime]:
        """Moves the clock from one thing to do to the next until nothing is left, or that moment; returns when messages
        were sent in this run."""
        began = len(self.moments())
        with engine.dispatching(self.app, profile=PROFILE):
            for _ in range(most):
                self.turn()
                following = self._next_moment()
                if following is None or (until is not None and following > until):
                    break
                wait = (following - clock.now()).total_seconds()
                if wait > 0:
                    clock.move(wait)
                self._let_go()
        if until is not None and until > clock.now():
            clock.move((until - clock.now()).total_seconds())
        return self.moments()[began:]

    def moments(self) -> list[datetime]:
        """When the account's campaign messages were sent, in order."""
        db.session.rollback()
        with system_scope("a test"):
            query = select(CampaignMessage.sent_at).where(CampaignMessage.sent_at.is_not(None))
            return sorted(moment for moment in db.session.scalars(query) if moment is not None)

    def _let_go(self) -> None:
        """Waits until what is due was sent; what the gate holds meets the sweep later."""
        pause = threading.Event()
        began = time.monotonic()
        while (due := self._due()) is not None:
            waited = time.monotonic() - began
            assert waited < engine.PATIENCE, "what is due was not tried"
            if due.reason is not None and (waited > _HELD_SECONDS or self._is_paused(due)):
                clock.move(600)
                rounds.run(db.engine)
                return
            pause.wait(0.02)

    def _due(self) -> Delivery | None:
        """Something that is due; what was not tried yet comes first."""
        db.session.rollback()
        with system_scope("a test"):
            query = select(Delivery).where(Delivery.due_at <= clock.now(), _OF_ACCOUNTS)
            query = query.order_by(Delivery.reason.nulls_first())
            return db.session.scalars(query.limit(1).execution_options(populate_existing=True)).first()

    def _is_paused(self, due: Delivery) -> bool:
        """Whether the provider asked for a pause that is not over on the database's clock, which does not move; what
        has expired is given up in spite of it."""
        if due.expires_at is not None and due.expires_at <= clock.now():
            return False
        with system_scope("a test"):
            query = select(SenderLease.sender_id).where(SenderLease.paused_until > func.clock_timestamp())
            return db.session.execute(query.limit(1)).first() is not None

    def _next_moment(self) -> datetime | None:
        db.session.rollback()
        with system_scope("a test"):
            due = db.session.scalar(select(Delivery.due_at).where(_OF_ACCOUNTS).order_by(Delivery.due_at).limit(1))
            turn = db.session.scalar(
                select(Campaign.next_turn_at)
                .where(Campaign.state.in_(("running", "scheduled")), Campaign.next_turn_at.is_not(None))
                .order_by(Campaign.next_turn_at)
                .limit(1)
            )
        return min((moment for moment in (due, turn) if moment is not None), default=None)


def conversations_person(telegram_id: str) -> Any:
    """A Telegram user as an update names them."""
    return Person(telegram_id, f"Person {telegram_id}")


@contextmanager
def rig(app: Flask, **account_values: Any) -> Iterator[Rig]:
    """A workspace with an account that is connected and has caught up, its owner, and a provider in memory."""
    before = (registry.get(CHANNEL), registry.spec(CHANNEL))
    channel = FakeChannel(name=CHANNEL, part_chars=5000)
    registry.put(CHANNEL, channel, before[1])
    try:
        with system_scope("a test"):
            home = factories.workspace()
            owner = factories.user(home, role="operator")
            made = accounts.account(home, owner, caught_up_at=clock.now(), **account_values)
            db.session.commit()
            known = Named(made.id, made.sender_id, made.quota_key)
            began = Rig(app, Named(home.id), known, callers.acting(owner), channel)
        yield began
    finally:
        registry.put(CHANNEL, *before)


def minutes(moments: Sequence[datetime]) -> list[datetime]:
    """The moments to the minute."""
    return [moment.replace(second=0, microsecond=0) for moment in moments]


def hours_after(start: datetime, *hours: float) -> list[datetime]:
    """Moments so many hours after a start."""
    return [start + timedelta(hours=number) for number in hours]
