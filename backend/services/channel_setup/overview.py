"""Every integration of the instance with what its checks found last: for the operator's command line."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import ChannelSetup, Sender
from backend.services import senders
from backend.services.channel_setup import results
from backend.services.channel_setup.platforms import PLATFORMS
from backend.services.channel_setup.results import Result

_MAX = 5_000


def every() -> list[tuple[Sender, Sequence[Result]]]:
    """By channel and id, in one statement; leaves the transaction open."""
    with system_scope("the instance's operator sees every integration"):
        rows = db.session.execute(
            select(Sender, ChannelSetup)
            .outerjoin(ChannelSetup, ChannelSetup.sender_id == Sender.id)
            .where(
                Sender.channel.in_(PLATFORMS),
                Sender.source.in_(("database", "environment")),
                Sender.deleted_at.is_(None),
                Sender.disabled_code.is_distinct_from(senders.NOT_CONFIGURED),
            )
            .order_by(Sender.channel, Sender.id)
            .limit(_MAX)
        ).all()
    return [(sender, results.read(setup.results) if setup is not None else []) for sender, setup in rows]
