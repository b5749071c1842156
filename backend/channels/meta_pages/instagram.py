"""A professional account's feed, in Meta's two steps: a container, and its publication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from backend.channels.errors import Rejected, RetryLater
from backend.channels.meta_pages import errors
from backend.channels.meta_pages.client import GraphClient
from backend.channels.meta_pages.values import Published, id_of, permalink
from backend.channels.richtext import storable

MAX_PICTURES = 10
MAX_TEXT = 2200


def contain(client: GraphClient, user_id: str, text: str, urls: Sequence[str]) -> str:
    """Makes the container that is to be published; of several pictures one each, and one around them.

    The platform fetches the pictures itself. Raises one of the five errors; may be repeated: a container that is not
    published is seen by nobody and expires after a day.
    """
    if len(urls) == 1:
        params = {"image_url": urls[0], "caption": text or None}
        return id_of(client.post(f"{user_id}/media", params))
    children = [id_of(client.post(f"{user_id}/media", {"image_url": url, "is_carousel_item": True})) for url in urls]
    around = {"media_type": "CAROUSEL", "children": ",".join(children), "caption": text or None}
    return id_of(client.post(f"{user_id}/media", around))


def state_of(client: GraphClient, container: str) -> Literal["ready", "processing", "published"]:
    """How far a container is. `published` tells of a try whose outcome was not known.

    Raises Rejected where it failed, RetryLater(`container_expired`) where a new one is needed.
    """
    answer = client.get(container, "status_code,status")
    status = answer.get("status_code")
    if status == "ERROR":
        raise Rejected("media_refused", _words(answer.get("status")))
    if status == "EXPIRED":
        raise RetryLater(errors.MEDIA_WAIT, "container_expired")
    if status == "PUBLISHED":
        return "published"
    return "ready" if status == "FINISHED" else "processing"


def publish(client: GraphClient, user_id: str, container: str, deadline: float) -> Published:
    """The call that publishes. Raises one of the five errors; never to be repeated after an unknown outcome."""
    answer = client.post(f"{user_id}/media_publish", {"creation_id": container}, publishes=True, deadline=deadline)
    media_id = id_of(answer, publishes=True)
    return Published(media_id, permalink(client, media_id, "permalink"))


def _words(value: object) -> str:
    return storable(value)[:300] if isinstance(value, str) else ""
