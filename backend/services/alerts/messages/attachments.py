"""An alert's picture or document: it follows the alert's first messages, and never holds them up.

A file is sent at once; an address is fetched by the files service. What cannot be fetched is noted
in the trace; a button with the address stands under the alert from the beginning.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

from backend.channels.base import MediaKind
from backend.core import clock, events
from backend.core.database import db
from backend.core.errors import NotFound
from backend.services import files
from backend.services.alerts.messages import publish
from backend.services.alerts.state import locked_alert
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.files import FileFetched, FileFetchFailed, Source

OWNER: Final = "alert"
"""What alerts are called where files are fetched for them."""
BESIDE_THE_OLD: Final = timedelta(minutes=10)
"""For so long the release before this one, which fetches by the alert's own row, leaves the attachment alone."""


def send_once(case: LockedAlert) -> None:
    """Sends a file that is there already, with the alert's first sound; has an address fetched."""
    carried = case.alert.attachment
    if carried is None or carried.get("state") not in (None, "given"):
        return
    if "file_id" in carried:
        publish.attach(case, files.as_media(files.get(carried["file_id"]), carried["kind"]))
        case.alert.attachment = carried | {"state": "sent"}
    else:
        request_file(case)


def request_file(case: LockedAlert) -> None:
    """Has the attachment's address fetched, once the caller's transaction has committed."""
    carried = case.alert.attachment or {}
    files.request(OWNER, case.alert.id, Source(carried["url"]), carried["kind"])
    until = (clock.now() + BESIDE_THE_OLD).isoformat(timespec="microseconds")
    case.alert.attachment = carried | {"state": "waiting", "tries": 0, "until": until}


def on_fetched(fetched: FileFetched) -> None:
    """Sends the file after the alert's messages; throws it away where the alert does not wait for it any more."""
    if fetched.owner_kind != OWNER:
        return
    case = _waiting_for(fetched.owner_id, fetched.source)
    if case is None:
        files.discard(fetched.file_id)
        return
    publish.attach(case, files.as_media(files.get(fetched.file_id), cast(MediaKind, fetched.kind)))
    case.alert.attachment = _requested(case) | {"state": "sent", "file_id": fetched.file_id}
    db.session.flush()


def on_fetch_failed(failed: FileFetchFailed) -> None:
    """Notes in the alert's history that its attachment could not be fetched."""
    case = _waiting_for(failed.owner_id, failed.source) if failed.owner_kind == OWNER else None
    if case is not None:
        case.alert.attachment = _requested(case) | {"state": "failed", "error": failed.code}
        case.note("attachment_failed", code=failed.code)


def _waiting_for(alert_id: int, url: str) -> LockedAlert | None:
    """The alert, locked, if it still waits for the file at this address."""
    try:
        case = locked_alert.by_id(alert_id)
    except NotFound:
        return None
    carried = case.alert.attachment or {}
    return case if carried.get("state") == "waiting" and carried.get("url") == url else None


def _requested(case: LockedAlert) -> dict[str, object]:
    return {name: value for name, value in (case.alert.attachment or {}).items() if name in ("kind", "url")}


events.subscribe(FileFetched, on_fetched)
events.subscribe(FileFetchFailed, on_fetch_failed)
