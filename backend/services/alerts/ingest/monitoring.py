"""Taking what a monitoring system reports, into the workspace of the token it came with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from backend.core.database import db
from backend.core.logging import get_logger
from backend.models import AlertEvent
from backend.services.alerts import history
from backend.services.alerts.ingest import api_input, grouping, monitoring_webhooks
from backend.services.alerts.ingest.reports import Outcome
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

log = get_logger(__name__)


def receive(
    source: str,
    body: Mapping[str, Any],
    by: Attribution,
    *,
    bot_name: str | None = None,
    repaired: Sequence[str] = (),
) -> Outcome:
    """Takes the body as one group, in the workspace's scope and the caller's transaction.

    Sent again, it counts and makes no second sound. Raises Invalid for a body without alerts, NotFound for a bot
    that was named and is not there. `repaired` has the codes of what was repaired in the body; the alert's trace and
    the audit tell of it once.
    """
    group = monitoring_webhooks.group_of(source, body, bot_name=bot_name)
    if bot_name is not None:
        api_input.require_bot(bot_name, ())
    codes = [*repaired, *(["alerts_left_out"] if len(body["alerts"]) > monitoring_webhooks.MAX_ALERTS else [])]
    outcome = grouping.report(group, by)
    if not codes:
        return outcome
    log.warning("body_repaired", source=source, codes=codes, alert_id=outcome.alert_id)
    if outcome.alert_id is not None:
        _note_repair(outcome.alert_id, codes, by)
    return replace(outcome, repaired=tuple(codes))


def _note_repair(alert_id: int, codes: Sequence[str], by: Attribution) -> None:
    noted = select(AlertEvent.id).where(AlertEvent.alert_id == alert_id, AlertEvent.what == "repaired").limit(1)
    if db.session.scalar(noted) is None:
        history.note(alert_id, "repaired", by, code=", ".join(codes))
        audit.record(by, "alert.repaired", f"alert:{alert_id}", codes=list(codes))
