"""An alert whose channel fails: it is noted on the alert and in the job history, and the admins get it another way.

A message's end is noted in the transaction that records it, without a lock on the alert (who edits a message holds the
alert first), and dealt with in one of its own by `settle`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock, config, events, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work, register
from backend.models import SENT_STATES, Alert, AlertFailure, AlertMessage, Conversation, Message, MessagePart
from backend.services import job_history, mail, senders
from backend.services.alerts.events import AlertUndelivered
from backend.services.alerts.messages import publish, targets
from backend.services.alerts.state import locked_alert
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.delivery.events import MessageEnded, MessageGone
from backend.services.senders.events import SenderPaused, SenderStopped

log = get_logger(__name__)
JOB: Final = "alert"
_AGAIN: Final = timedelta(seconds=60)
_OWN: Final = "superseded"


def undelivered(case: LockedAlert, code: str, *, message: Message | None = None) -> None:
    """Notes that the alert did not get through by its own way, and tells the admins; once for each sound it made."""
    alert, now = case.alert, clock.now()
    alert.undelivered_code, alert.undelivered_at = code, now
    job_history.record_failure(
        JOB,
        code,
        f"alerts:{alert.id}",
        workspace_id=alert.workspace_id,
        detail=f"the alert was not delivered by the bot {alert.bot_name}",
        started_at=message.created_at if message is not None else now,
    )
    case.note("undelivered", code=code)
    log.warning("alert_undelivered", alert_id=alert.id, code=code)
    told_at = alert.admins_told_at
    if told_at is None or (alert.notified_at is not None and told_at < alert.notified_at):
        _notify_admins(case)
    events.publish(AlertUndelivered(alert.workspace_id, alert.id, code))


def _notify_admins(case: LockedAlert) -> None:
    """Sends the alert to every admin in their own chat with the default bot, unless that is the way that failed."""
    failed = select(AlertMessage.conversation_id).where(
        AlertMessage.alert_id == case.alert.id, AlertMessage.failed_code.is_not(None)
    )
    has_it = select(AlertMessage.conversation_id).where(
        AlertMessage.alert_id == case.alert.id,
        AlertMessage.superseded_at.is_(None),
        AlertMessage.role.in_(("subscriber", "escalation")),
    )
    taken = {*db.session.scalars(failed), *db.session.scalars(has_it)}
    places = [place for place in targets.admins(taken) if _may_work(place.conversation)]
    messages = publish.send(case, places, None)
    count = len(messages)
    if not count:
        # The default bot is the trouble, or nobody is linked with it: by mail, where there is a server for it.
        count = mail.notify_admins(
            case.alert.workspace_id,
            "alert",
            bot=case.alert.bot_name,
            reason=case.alert.undelivered_code,
            severity=case.alert.severity,
            title=case.alert.title,
            site=config.get().site_url,
        )
    case.alert.admins_told_at = clock.now()
    case.note("admins_told", count=count)


def _may_work(conversation: Conversation) -> bool:
    sender = senders.by_id(conversation.sender_id)
    if sender is None or not sender.is_active or conversation.blocked_code is not None:
        return False
    return senders.long_pause_of(sender.id) is None


def on_message_ended(event: MessageEnded) -> None:
    """A message was not sent; in the system scope, in the transaction that records it."""
    message = db.session.get(Message, event.message_id)
    if message is None or message.kind != targets.KIND or event.code == _OWN:
        return
    _note(message, event.code)


def on_message_gone(event: MessageGone) -> None:
    """What was sent can be edited no more; in the system scope, in the transaction that records it."""
    message = db.session.get(Message, event.message_id)
    if message is not None and message.kind == targets.KIND:
        _note(message, event.code)


def on_sender_stopped(event: SenderStopped) -> None:
    """A provider refuses a bot: what waits for it is not lost, but nobody knows when it goes out."""
    with system_scope("a bot may serve several workspaces"):
        waiting = select(Message).where(
            Message.id.in_(
                select(AlertMessage.message_id)
                .join(Alert, Alert.id == AlertMessage.alert_id)
                .where(Alert.resolved_at.is_(None), AlertMessage.failed_code.is_(None))
            ),
            Message.sender_id == event.sender_id,
            Message.state == "queued",
        )
        for message in db.session.scalars(waiting).all():
            _note(message, event.code)


def on_sender_paused(event: SenderPaused) -> None:
    """A provider asks a bot to rest for long: what waits for it will go out, but the admins get it now."""
    with system_scope("a bot may serve several workspaces"):
        noted = select(AlertFailure.id).where(AlertFailure.message_id == Message.id)
        waiting = (
            select(Message)
            .join(AlertMessage, AlertMessage.message_id == Message.id)
            .join(Alert, Alert.id == AlertMessage.alert_id)
            .where(
                Message.sender_id == event.sender_id,
                Message.state == "queued",
                AlertMessage.role.in_(("route", "escalation")),
                AlertMessage.failed_code.is_(None),
                Alert.resolved_at.is_(None),
                Alert.undelivered_code.is_(None),
                ~noted.exists(),
            )
        )
        for message in db.session.scalars(waiting).all():
            _note(message, event.code)


def _note(message: Message, code: str) -> None:
    db.session.add(AlertFailure(workspace_id=message.workspace_id, message_id=message.id, code=code, at=clock.now()))
    db.session.flush()
    queue.wake("notifications")


def waiting() -> Waiting:
    """Failures that are still to be dealt with."""
    return (_due().with_only_columns(AlertFailure.id),)


def settle(turn: Turn) -> int:
    """Deals with the failures that were noted, each in a transaction of its own; returns how many. Commits."""
    done = 0
    while True:
        with system_scope("failures of all workspaces are dealt with here"):
            row = db.session.scalars(_due().limit(1).with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                db.session.rollback()
                return done
            # Later again, should this try not end: one failure that cannot be dealt with must not hold up the others.
            row.at = clock.now() + _AGAIN
            failure_id, workspace_id = row.id, row.workspace_id
            db.session.commit()
        with workspace_scope(workspace_id):
            _settle(failure_id)
            db.session.commit()
        done += 1
        if turn.is_over():
            turn.go_on_later()
            return done


def _due() -> Any:
    return select(AlertFailure).where(AlertFailure.at <= clock.now()).order_by(AlertFailure.at, AlertFailure.id)


def _settle(failure_id: int) -> None:
    row = db.session.get(AlertFailure, failure_id, with_for_update=True, populate_existing=True)
    if row is None:
        return
    db.session.delete(row)
    db.session.flush()
    query = select(AlertMessage).where(AlertMessage.message_id == row.message_id)
    alert_message = db.session.scalars(query).one_or_none()
    if alert_message is None:
        return
    case = locked_alert.by_id(alert_message.alert_id)
    db.session.refresh(alert_message)
    message = db.session.get_one(Message, row.message_id, populate_existing=True)
    if message.gone_code is not None:
        _settle_gone(case, alert_message, message)
        return
    if message.state in SENT_STATES:
        # It only waited, and went out before this was dealt with.
        return
    if alert_message.failed_code is None:
        # One that only waits (its bot is off) may still go out, and goes on following the alert.
        alert_message.failed_code = row.code if message.state != "queued" else None
        case.note(
            "attachment_failed" if alert_message.role == "attachment" else "message_failed",
            code=row.code,
            role=alert_message.role,
        )
    if alert_message.role == "route":
        case.request_edit()
    if (
        alert_message.role == "route" and not _arrives(case, "route", besides=row.message_id)
    ) or alert_message.role == "escalation":
        undelivered(case, row.code, message=message)
    case.reschedule()


def _settle_gone(case: LockedAlert, alert_message: AlertMessage, message: Message) -> None:
    """A message can be edited no more. What its last edit was to show is sent again, unless it was no news."""
    if alert_message.failed_code is None:
        alert_message.failed_code = message.gone_code
        case.note("message_gone", code=message.gone_code, role=alert_message.role)
    if (
        alert_message.superseded_at is not None
        or alert_message.role not in publish.FOLLOWING_ROLES
        or alert_message.news_version is None
    ):
        return
    seen = db.session.scalars(
        select(MessagePart.sent_version).where(MessagePart.message_id == message.id).order_by(MessagePart.part).limit(1)
    ).one_or_none()
    if seen is None or seen < alert_message.news_version:
        publish.send_again(case, alert_message, message)
        case.reschedule()


def _arrives(case: LockedAlert, role: str, *, besides: int) -> bool:
    """Whether another of the alert's chats has it or will."""
    return any(row.role == role and message.id != besides for row, message in publish.current_messages(case))


events.subscribe(MessageEnded, on_message_ended)
events.subscribe(MessageGone, on_message_gone)
events.subscribe(SenderStopped, on_sender_stopped)
events.subscribe(SenderPaused, on_sender_paused)


WORK: Final = register(Work("alert_failures", "notifications", waiting, settle))
