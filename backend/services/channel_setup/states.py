"""What is kept of an integration's set-up: the last results, when they are due, and which of them people were told.

A row is locked before it is changed; a person's press and the job may come to it at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.models import ChannelSetup, Sender
from backend.services.channel_setup import results
from backend.services.channel_setup.events import ChannelCheckFailed, ChannelCheckRecovered
from backend.services.channel_setup.platforms import PLATFORMS, rules_of
from backend.services.channel_setup.results import Result

EVERY: Final = timedelta(hours=6)
"""Between two checks of an integration, where the provider answers."""
GRACE: Final = timedelta(hours=24)
"""So long a new integration may still be being set up: nobody is told of what has never worked."""
RENEWABLE_AFTER: Final = timedelta(hours=24)
"""The least age of a token that is renewed."""
_FIRST_REST: Final = timedelta(minutes=15)
_NOTICED: Final = frozenset({"token_expiring", "data_access_expiring", "renewal_failing"})
"""Warnings of which people are told: with time they become failures."""
_WHY: Final = "a sender is no tenant table"


def make(sender: Sender) -> None:
    """The row of a new integration, whose checks are due at once."""
    now = clock.now()
    renews = rules_of(sender.channel, sender.credentials).renews
    values = {"sender_id": sender.id, "check_at": now, "renew_at": now + RENEWABLE_AFTER if renews else None}
    with system_scope(_WHY):
        db.session.execute(insert(ChannelSetup).values(values).on_conflict_do_nothing(index_elements=["sender_id"]))


def make_missing() -> None:
    """Makes the rows of the integrations that have none: the environment's. In the system scope."""
    rows = db.session.execute(
        select(Sender)
        .outerjoin(ChannelSetup, ChannelSetup.sender_id == Sender.id)
        .where(
            ChannelSetup.sender_id.is_(None),
            Sender.channel.in_(PLATFORMS),
            Sender.source.in_(("database", "environment")),
            Sender.deleted_at.is_(None),
        )
        .limit(200)
    ).scalars()
    for sender in list(rows):
        make(sender)


def of(sender: Sender, *, lock: bool = False) -> ChannelSetup:
    """The row of an integration, made where there is none yet."""
    query = select(ChannelSetup).where(ChannelSetup.sender_id == sender.id)
    if lock:
        query = query.with_for_update()
    query = query.execution_options(populate_existing=True)
    with system_scope(_WHY):
        setup = db.session.execute(query).scalar_one_or_none()
        if setup is None:
            make(sender)
            setup = db.session.execute(query).scalar_one()
    return setup


def check_soon(sender: Sender, *, token_changed: bool = False) -> None:
    """Has the checks made by the next turn of the job; a new token is renewed when it is old enough."""
    setup = of(sender, lock=True)
    setup.check_at, setup.failures = clock.now(), 0
    if token_changed:
        renews = rules_of(sender.channel, sender.credentials).renews
        setup.renew_at = clock.now() + RENEWABLE_AFTER if renews else None
        setup.renew_failures, setup.renew_error = 0, None
        setup.token_expires_at = setup.token_user_hash = None
    with system_scope(_WHY):
        db.session.flush()


def keep(
    sender: Sender, findings: Sequence[Result], *, asked: bool, wait: float | None, partly: bool = False
) -> list[Result]:
    """Keeps what the checks found, in the caller's transaction, and tells who has to know; what is known then.

    `asked` is false where the provider could not be asked at all; then they are due again after a rest, `wait` seconds
    at least. With `partly` only these checks were made, and the others stand.
    """
    setup = of(sender, lock=True)
    before = results.read(setup.results)
    known = results.newest(before, findings)
    if partly:
        by_check = {result.check: result for result in known}
        known = [by_check.pop(result.check, result) for result in before] + list(by_check.values())
    else:
        setup.failures = 0 if asked else min(setup.failures + 1, 10)
        setup.checked_at = clock.now() if asked else setup.checked_at
        setup.check_at = clock.now() + _rest(setup.failures, wait)
    setup.results = [result.to_json() for result in known]
    _tell(sender, setup, before, known)
    with system_scope(_WHY):
        db.session.flush()
    return known


def end_alerts(sender: Sender) -> None:
    """Ends what people were told of an integration that goes."""
    setup = of(sender, lock=True)
    for check in setup.alerting:
        if sender.workspace_id is not None:
            events.publish(ChannelCheckRecovered(sender.workspace_id, sender.id, sender.name, check))
    setup.alerting = []


def note_token_owner(setup: ChannelSetup, user_id: str) -> None:
    """Keeps by whom the token was given, as a keyed hash: for when they take that back."""
    setup.token_user_hash = owner_hash(user_id) if user_id else None


def owner_hash(user_id: str) -> bytes:
    """The keyed hash of a person, by the id that an application of the provider has for them."""
    return keyring().lookup("meta.user", user_id)


def check_soon_of_owner(user_id: str) -> int:
    """Has the integrations checked whose token this person gave; returns how many."""
    query = select(ChannelSetup).where(ChannelSetup.token_user_hash == owner_hash(user_id)).with_for_update()
    with system_scope("whose token it was is found among all workspaces"):
        setups = list(db.session.execute(query).scalars())
        for setup in setups:
            setup.check_at, setup.failures = clock.now(), 0
        db.session.flush()
    return len(setups)


def _tell(sender: Sender, setup: ChannelSetup, before: Sequence[Result], known: Sequence[Result]) -> None:
    if sender.workspace_id is None:
        return
    alerted, still = set(setup.alerting), []
    worked = {result.check for result in before if result.state == "ok"}
    is_new = clock.now() - sender.created_at < GRACE
    for result in known:
        if _is_grave(result) and (result.check in alerted | worked or not is_new):
            still.append(result.check)
            events.publish(
                ChannelCheckFailed(
                    sender.workspace_id,
                    sender.id,
                    sender.name,
                    sender.channel,
                    result.check,
                    result.code,
                    result.text("en"),
                    result.hint("en") or "",
                )
            )
        elif result.check in alerted and result.state != "unknown":
            events.publish(ChannelCheckRecovered(sender.workspace_id, sender.id, sender.name, result.check))
        elif result.check in alerted:
            still.append(result.check)
    gone = alerted - {result.check for result in known}
    for check in sorted(gone):
        events.publish(ChannelCheckRecovered(sender.workspace_id, sender.id, sender.name, check))
    setup.alerting = still


def _is_grave(result: Result) -> bool:
    return result.state == "failed" or result.code in _NOTICED


def _rest(failures: int, wait: float | None) -> timedelta:
    if failures == 0:
        return EVERY
    rest = min(_FIRST_REST * (1 << min(failures - 1, 10)), EVERY)
    return max(rest, timedelta(seconds=wait or 0))
