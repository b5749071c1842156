"""An alert's picture or document: it follows the alert's first messages, and never holds them up.

A file is sent at once; an address is fetched in the background by the guarded client. What cannot be fetched is noted
in the trace; a button with the address stands under the alert from the beginning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Alert
from backend.services import attachments
from backend.services.alerts import history
from backend.services.alerts.lifecycle import locked_alert
from backend.services.alerts.lifecycle.locked_alert import LockedAlert
from backend.services.alerts.messages import publish
from backend.services.notifications import attachments as fetching

MAX_TRIES: Final = 3
_CLAIM: Final = timedelta(seconds=60)
_state = Alert.attachment["state"].astext
_until = Alert.attachment["until"].astext


def send_once(case: LockedAlert) -> None:
    """Sends a file that is there already, with the alert's first sound; has an address fetched."""
    carried = case.alert.attachment
    if carried is None or carried.get("state") not in (None, "given"):
        return
    if "file_id" in carried:
        publish.attach(case, attachments.as_media(attachments.get(carried["file_id"]), carried["kind"]))
        case.alert.attachment = carried | {"state": "sent"}
    else:
        case.alert.attachment = carried | {"state": "waiting", "tries": 0}
        queue.wake("notifications")


def waiting() -> Waiting:
    """Alerts whose address is due to be fetched."""
    return (_due().with_only_columns(Alert.id),)


def fetch_waiting(turn: Turn) -> int:
    """Fetches the addresses that are due until the turn is over; returns how many it tried. Commits."""
    tried = 0
    while claimed := _claim():
        alert_id, workspace_id, carried = claimed
        with workspace_scope(workspace_id):
            _fetch(alert_id, carried)
        tried += 1
        if turn.is_over():
            turn.go_on_later()
            break
    return tried


def _claim() -> tuple[int, int, dict[str, Any]] | None:
    with system_scope("attachments of all workspaces are fetched here"):
        alert = db.session.scalars(_due().limit(1).with_for_update(skip_locked=True)).one_or_none()
        if alert is None or alert.attachment is None:
            db.session.rollback()
            return None
        carried = alert.attachment | {"tries": alert.attachment["tries"] + 1, "until": _text(clock.now() + _CLAIM)}
        alert.attachment = carried
        claimed = (alert.id, alert.workspace_id, carried)
        db.session.commit()
    return claimed


def _fetch(alert_id: int, carried: dict[str, Any]) -> None:
    try:
        stored = fetching.fetch(carried["url"], carried["kind"])
    except fetching.FetchFailed as error:
        _give_up_or_wait(alert_id, carried, error)
        return
    try:
        case = locked_alert.by_id(alert_id)
        file = attachments.record(fetching.name_of(carried["url"]), stored)
        publish.attach(case, attachments.as_media(file, carried["kind"]))
        case.alert.attachment = carried | {"state": "sent", "file_id": file.id}
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        attachments.files().delete(stored.key)
        if isinstance(error, OperationalError | InterfaceError) or not isinstance(error, Exception):
            raise
        _give_up_or_wait(alert_id, carried, fetching.failure_of(error, alert_id=alert_id))


def _give_up_or_wait(alert_id: int, carried: dict[str, Any], error: fetching.FetchFailed) -> None:
    """Notes that an attachment could not be fetched or sent, or that it is tried again. Commits."""
    case = locked_alert.by_id(alert_id)
    if error.again and carried["tries"] < MAX_TRIES:
        case.alert.attachment = carried | {
            "until": _text(clock.now() + fetching.BACKOFF.wait(carried["tries"], alert_id))
        }
    else:
        case.alert.attachment = carried | {"state": "failed", "error": error.code}
        history.note(case.alert, "attachment_failed", code=error.code)
    db.session.commit()


def _due() -> Any:
    return (
        select(Alert).where(_state == "waiting", or_(_until.is_(None), _until <= _text(clock.now()))).order_by(Alert.id)
    )


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


WORK: Final = register(
    Work("alert_attachments", "notifications", waiting, fetch_waiting, pool=BoundedPool("alert-attachments", 1))
)
