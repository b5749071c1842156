"""What an event may carry: a picture or a document, from a file of the workspace or from an address.

Nothing here fetches. A file is ready at once; an address becomes a file in the background, and until then the message
waits with the address in its text, so that it goes out in any case.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from backend.channels.base import Media, MediaKind
from backend.core import clock, config
from backend.core.egress import EgressFailed, EgressRefused, connection, target
from backend.core.errors import Invalid, field_error
from backend.models import NotificationEvent
from backend.services import files
from backend.services.files import Source
from backend.services.texts import values

PATIENCE: Final = timedelta(minutes=3)
"""How long a message waits for its attachment at most. The fetching itself gives up before."""
OWNER: Final = "notification_event"
"""What events are called where files are fetched for them."""
BESIDE_THE_OLD: Final = timedelta(minutes=10)
"""For so long the release before this one, which fetches by the event's own row, leaves the attachment alone."""
FETCHING: Final = "fetching_attachment"
WAITING: Final = "waiting"
_LOOK_UP_SECONDS: Final = 1.0
"""The caller's transaction is open meanwhile, so a slow name server is not waited for."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a caller asks for: exactly one of `url` and `file_id`."""

    kind: MediaKind
    url: str | None = None
    file_id: int | None = None


def prepare(given: Attachment | None) -> tuple[dict[str, Any] | None, tuple[Media, ...]]:
    """The event's column and the media that are there already.

    Raises NotFound for a file of another workspace, Invalid for an address that is not http(s) or not public, and
    what `files.as_media` raises.
    """
    if given is None:
        return None, ()
    if (given.url is None) == (given.file_id is None):
        message = "An attachment has either a url or a file_id."
        raise Invalid.of_fields([field_error("attachment", "attachment_source", message)])
    if given.file_id is not None:
        media = files.as_media(files.get(given.file_id), given.kind)
        return {"kind": given.kind, "file_id": given.file_id}, (media,)
    address = values.http_url(given.url)
    if address is None:
        raise Invalid.of_fields(
            [field_error("attachment.url", "address_malformed", "The address has to be an http(s) one.")]
        )
    _judge(address)
    return {"kind": given.kind, "url": address, "state": WAITING, "tries": 0}, ()


def request_file(event: NotificationEvent) -> None:
    """Has the address of a waiting attachment fetched, once the caller's transaction has committed."""
    attachment = event.attachment or {}
    files.request(OWNER, event.id, Source(attachment["url"]), attachment["kind"])
    until = (clock.now() + BESIDE_THE_OLD).strftime("%Y-%m-%dT%H:%M:%SZ")
    event.attachment = attachment | {"until": until}


def link_of(attachment: dict[str, Any] | None) -> str | None:
    """The address that stands in the text while there is no file."""
    if attachment is None or "file_id" in attachment:
        return None
    return attachment.get("url")


def is_waiting(attachment: dict[str, Any] | None) -> bool:
    """Whether the attachment is still to be fetched."""
    return attachment is not None and attachment.get("state") == WAITING


def _judge(address: str) -> None:
    """Refuses at once what the fetching would refuse for good. A name that cannot be looked up now is judged then."""
    try:
        place = target.parse(address)
        deadline = connection.Deadline(_LOOK_UP_SECONDS, time.monotonic)
        allowed = config.get().egress_allow_private
        connection.resolve(place, connection.system_resolver, deadline, allow_private=allowed)
    except EgressRefused as error:
        raise Invalid.of_fields([field_error("attachment.url", error.code, error.message)]) from None
    except (EgressFailed, TimeoutError):
        return


def requested(attachment: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, without how far it got: for an event whose message carries that attachment already."""
    return {name: value for name, value in attachment.items() if name in ("kind", "url", "file_id")}


def same(left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    """Whether two events ask for the same attachment."""
    return _source(left) == _source(right)


def _source(attachment: dict[str, Any] | None) -> tuple[Any, ...] | None:
    if attachment is None:
        return None
    # A fetched address has a file as well; what was asked for is the address.
    return attachment["kind"], attachment.get("url") or attachment.get("file_id")
