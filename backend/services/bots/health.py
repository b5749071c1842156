"""The scheduled health check: each bot's account and webhook, asked at Telegram, kept at the bot, and told on failure.

What it found stands in the bot's facts. A failure is the event `health_check_failed(workspace_id, subject, name,
code)`, published again by each check that still fails (who tells people counts repetitions); what ends it is
`health_check_recovered(workspace_id, subject, name)`. Both run in the transaction that keeps the finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select

from backend.channels.errors import ChannelError, Rejected, SenderDisabled
from backend.channels.provider import WebhookStatus
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.channels.telegram_bot.administration import NO_SUCH_METHOD
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn
from backend.models import Sender
from backend.services import senders
from backend.services.bots import chat_states, webhook_state
from backend.services.bots.events import HealthCheckFailed, HealthCheckRecovered
from backend.services.bots.resolution import still_named
from backend.services.bots.webhook_state import Receiving
from backend.services.scheduling import SystemJob, Timing, register_system_job

log = get_logger(__name__)

EVERY: Final = timedelta(minutes=5)
OK: Final = "ok"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
WEBHOOK_FAILING: Final = "webhook_failing"
_RECENT: Final = timedelta(minutes=30)
_MAX: Final = 500
_WHY: Final = "the health check serves every workspace"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `code` says what is wrong; `passing` that it may be over by itself in a moment; `receiving`
    how updates get here, where Telegram said so."""

    code: str | None = None
    passing: bool = False
    receiving: Receiving | None = None


def judge(error: ChannelError | None, webhook: WebhookStatus | None, expected_url: str, now: datetime) -> Finding:
    """What Telegram's answers mean. A webhook counts where it leads here: then updates have to arrive."""
    if isinstance(error, Rejected) and error.code in NO_SUCH_METHOD:
        # A Bot API server of somebody's own that knows no webhooks: the bot has just answered.
        return Finding()
    if error is not None:
        return Finding(error.code, passing=not isinstance(error, SenderDisabled))
    if webhook is None or webhook.url != expected_url:
        return Finding()
    failed = webhook.last_error_at
    if webhook.pending and failed is not None and now - failed < _RECENT:
        return Finding(WEBHOOK_FAILING)
    return Finding()


def next_state(kept: Mapping[str, Any], finding: Finding, now: datetime) -> dict[str, Any]:
    """What is kept of a bot's health after a check. What may pass by itself counts from the second time in a row."""
    failures = 0 if finding.code is None else int(kept.get("failures", 0)) + 1
    failed = finding.code is not None and (failures > 1 or not finding.passing)
    state = FAILED if failed else OK
    since = kept.get("since") if kept.get("state") == state else None
    return {
        "state": state,
        "code": finding.code,
        "failures": failures,
        "since": since or now.isoformat(),
        "checked_at": now.isoformat(),
    }


def last_of(bot: Sender) -> dict[str, Any]:
    """The bot's health as it was last found."""
    kept = bot.facts.get("health") or {}
    at = kept.get("checked_at")
    return {
        "state": kept.get("state", UNKNOWN),
        "code": kept.get("code"),
        "checked_at": datetime.fromisoformat(at) if isinstance(at, str) else None,
    }


def check_health(turn: Turn) -> int:
    """Checks every bot that was not checked for nearly five minutes, those waiting longest first, until the turn is
    over; returns how many. Commits after each; what is left is first in the next turn.

    Also bots whose token Telegram has refused, without asking again: that is another's task, and they still fail.
    """
    checked = 0
    for sender_id in _due():
        if turn.is_over():
            turn.go_on_later()
            break
        checked += check(sender_id)
    return checked


def check(sender_id: int) -> bool:
    """Checks one bot, by a network call without a transaction; False for one that is gone or switched off."""
    with system_scope(_WHY):
        bot = senders.by_id(sender_id, channel=CHANNEL)
        if bot is None or not bot.credentials or not (bot.is_active or bot.disabled_code in senders.REFUSED):
            db.session.rollback()
            return False
        refused = None if bot.is_active else bot.disabled_code
        expected = senders.webhook_address(bot)
        db.session.commit()
        finding = _ask(bot, expected) if refused is None else Finding(refused)
        if finding.code is None:
            chat_states.look_again(bot)
        _keep(sender_id, finding)
        db.session.commit()
    return True


def _ask(bot: Sender, expected: str) -> Finding:
    try:
        # Keeps who the bot is, and switches it off where its token is refused.
        senders.probe(bot)
        info = senders.webhook_status(bot)
    except ChannelError as error:
        return judge(error, None, expected, clock.now())
    return replace(judge(None, info, expected, clock.now()), receiving=webhook_state.judge(info.url, expected))


def _keep(sender_id: int, finding: Finding) -> None:
    bot = db.session.execute(
        select(Sender).where(Sender.id == sender_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if bot is None or bot.deleted_at is not None:
        return
    kept = bot.facts.get("health") or {}
    now = next_state(kept, finding, clock.now())
    bot.facts = {**bot.facts, "health": now}
    if finding.receiving is not None:
        webhook_state.keep(bot, finding.receiving)
    db.session.flush()
    if bot.workspace_id is None:
        return
    if now["state"] == FAILED:
        log.warning("health_check_failed", sender_id=sender_id, code=finding.code)
        events.publish(HealthCheckFailed(bot.workspace_id, sender_id, bot.name, finding.code or ""))
    elif kept.get("state") == FAILED:
        events.publish(HealthCheckRecovered(bot.workspace_id, sender_id, bot.name))


def _due() -> list[int]:
    at = Sender.facts["health"]["checked_at"].astext
    before = (clock.now() - EVERY * 0.8).isoformat()
    with system_scope(_WHY):
        due_ids = db.session.execute(
            select(Sender.id)
            .where(
                Sender.channel == CHANNEL,
                Sender.deleted_at.is_(None),
                Sender.source != "arguments",
                still_named(),
                or_(Sender.is_active, Sender.disabled_code.in_(senders.REFUSED)),
                or_(at.is_(None), at < before),
            )
            .order_by(at.asc().nulls_first(), Sender.id)
            .limit(_MAX)
        ).scalars()
        ids = list(due_ids)
        db.session.rollback()
    return ids


JOB = register_system_job(
    SystemJob(
        "bot_health",
        "background",
        Timing("interval", interval_seconds=int(EVERY.total_seconds())),
        check_health,
        pool=BoundedPool("bot-health", 1),
    )
)
