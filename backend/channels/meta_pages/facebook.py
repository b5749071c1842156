"""A Page's feed. Pictures are uploaded unpublished first, which nobody sees and which may be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.channels.meta_pages.client import GraphClient
from backend.channels.meta_pages.values import Picture, Published, id_of, permalink


def upload(client: GraphClient, page_id: str, pictures: Sequence[Picture]) -> list[str]:
    """Uploads pictures without showing them; their ids. Raises one of the five errors; may be repeated."""
    return [_upload(client, page_id, picture) for picture in pictures]


def publish(client: GraphClient, page_id: str, text: str, pictures: Sequence[str], deadline: float) -> Published:
    """The call that publishes. Raises one of the five errors; never to be repeated after an unknown outcome."""
    params: Mapping[str, Any] = {
        "message": text or None,
        "attached_media": [{"media_fbid": media_id} for media_id in pictures] or None,
    }
    post_id = id_of(client.post(f"{page_id}/feed", params, publishes=True, deadline=deadline), publishes=True)
    return Published(post_id, permalink(client, post_id, "permalink_url"))


def _upload(client: GraphClient, page_id: str, picture: Picture) -> str:
    if picture.opener is None:
        return id_of(client.post(f"{page_id}/photos", {"published": False, "url": picture.url}))
    hidden = {"published": "false"}
    return id_of(client.upload(f"{page_id}/photos", hidden, picture.filename, picture.mime, picture.opener))
