"""A Facebook Page's feed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from backend.channels.meta_pages import Picture, Published, facebook, is_id
from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import StoredFile
from backend.services import files
from backend.services.posts.publishers import meta
from backend.services.posts.publishers.base import Draft, Plan, Prepared, require_text

MAX_TEXT: Final = 63_206


class _Facebook:
    def is_available(self, workspace_id: int) -> bool:
        return meta.may_publish(workspace_id, meta.FACEBOOK_SCOPES)

    def check(self, draft: Draft) -> None:
        require_text(draft, MAX_TEXT)
        page_id = draft.target.get("page_id")
        if page_id is not None and not is_id(page_id):
            raise Invalid.of("target.page_id", "bad_page_id", "A page's id is made of digits.")
        if any(item["kind"] != "photo" for item in draft.media):
            raise Invalid.of("media", "photos_only", "Facebook takes pictures only.")

    def prepare(self, plan: Plan) -> Prepared:
        client = meta.client()
        page_id = plan.progress.get("page_id") or plan.target.get("page_id") or meta.account(client).page_id
        progress = plan.progress | {"page_id": page_id}
        if "pictures" not in progress:
            pictures = [_picture(item) for item in plan.media]
            db.session.rollback()
            progress["pictures"] = facebook.upload(client, page_id, pictures)
        return Prepared(progress)

    def publish(self, plan: Plan, deadline: float) -> Published:
        progress = plan.progress
        return facebook.publish(meta.client(), progress["page_id"], plan.content, progress["pictures"], deadline)


def _picture(item: dict[str, Any]) -> Picture:
    if item.get("url"):
        return Picture(url=item["url"])
    file: StoredFile = files.get(item["file_id"])
    return Picture(filename=file.filename, mime=file.mime, opener=partial(files.storage_of_instance().open, file.key))


PUBLISHER: Final = _Facebook()
