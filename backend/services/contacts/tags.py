"""Tags: words that contacts are marked with; letter case does not tell two apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, NotFound
from backend.models import ContactTag, Tag
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts.faults import invalid

MAX_LENGTH: Final = 60
MAX_TAGS: Final = 100
"""Tags that one contact can have."""
_SPACE: Final = re.compile(r"\s+")


@lru_cache(maxsize=1024)
def clean(name: str) -> str:
    """The name as it is stored: one space between words, no control characters. May be empty, or too long."""
    visible = "".join(char for char in unicodedata.normalize("NFC", name) if char.isprintable() or char.isspace())
    return _SPACE.sub(" ", visible).strip()


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[Tag], str | None]:
    """The workspace's tags, oldest first."""
    return paging.page(select(Tag), Tag.id, cursor=cursor, limit=limit, descending=False)


def counts(tags: Sequence[Tag]) -> dict[int, int]:
    """How many contacts have each of these tags."""
    query = (
        select(ContactTag.tag_id, func.count())
        .where(ContactTag.tag_id.in_([tag.id for tag in tags]))
        .group_by(ContactTag.tag_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def get(tag_id: int) -> Tag:
    """A tag of the workspace in scope. Raises NotFound."""
    tag = db.session.get(Tag, tag_id)
    if tag is None:
        raise NotFound("tag_not_found", "There is no such tag.")
    return tag


def create(by: Attribution, name: str) -> Tag:
    """Adds a tag. Raises Invalid, and Conflict (tag_exists, too_many_tags)."""
    wanted = _checked(name, "name")
    _refuse_known(wanted, None)
    tag = ensure([wanted])[wanted.casefold()]
    audit.record(by, "tag.created", f"tag:{tag.id}")
    return tag


def rename(by: Attribution, tag_id: int, name: str) -> Tag:
    """Renames a tag. Raises NotFound, Invalid, and Conflict (tag_exists)."""
    tag, wanted = get(tag_id), _checked(name, "name")
    _refuse_known(wanted, tag.id)
    tag.name, tag.name_folded = wanted, wanted.casefold()
    db.session.flush()
    audit.record(by, "tag.renamed", f"tag:{tag.id}")
    return tag


def remove(by: Attribution, tag_id: int) -> None:
    """Removes a tag, also from the contacts that have it. Raises NotFound."""
    db.session.delete(get(tag_id))
    db.session.flush()
    audit.record(by, "tag.deleted", f"tag:{tag_id}")


def ensure(names: Iterable[str]) -> dict[str, Tag]:
    """The tags of these names by their folded names; those that are missing are made.

    Raises Invalid, and Conflict (too_many_tags).
    """
    wanted: dict[str, str] = {}
    for name in names:
        checked = _checked(name, "tags")
        wanted.setdefault(checked.casefold(), checked)
    if not wanted:
        return {}
    known = _by_name(wanted)
    missing = [name for key, name in wanted.items() if key not in known]
    if missing:
        caps.require_room("tags", select(func.count() + len(missing) - 1).select_from(Tag))
        now, workspace_id = clock.now(), current_workspace_id()
        rows = [
            {"workspace_id": workspace_id, "name": name, "name_folded": name.casefold(), "created_at": now}
            for name in missing
        ]
        db.session.execute(insert(Tag).values(rows).on_conflict_do_nothing())
        known = _by_name(wanted)
    return known


def of_contacts(contact_ids: Sequence[int]) -> dict[int, list[str]]:
    """The names of the tags of these contacts, sorted."""
    query = (
        select(ContactTag.contact_id, Tag.name)
        .join(Tag, Tag.id == ContactTag.tag_id)
        .where(ContactTag.contact_id.in_(contact_ids))
        .order_by(Tag.name_folded)
    )
    names: dict[int, list[str]] = {}
    for contact_id, name in db.session.execute(query):
        names.setdefault(contact_id, []).append(name)
    return names


def put(contact_id: int, names: Iterable[str]) -> None:
    """Gives a contact these tags and no others. Raises Invalid."""
    wanted = {tag.id for tag in ensure(names).values()}
    if len(wanted) > MAX_TAGS:
        raise invalid("tags", "too_many_tags", f"A contact has at most {MAX_TAGS} tags.")
    present = set(db.session.scalars(select(ContactTag.tag_id).where(ContactTag.contact_id == contact_id)))
    gone = present - wanted
    if gone:
        db.session.execute(
            delete(ContactTag)
            .where(ContactTag.contact_id == contact_id, ContactTag.tag_id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    rows = [
        {"workspace_id": current_workspace_id(), "contact_id": contact_id, "tag_id": tag_id}
        for tag_id in sorted(wanted - present)
    ]
    if rows:
        db.session.execute(insert(ContactTag).values(rows).on_conflict_do_nothing())


def give(contact_ids: Sequence[int], name: str) -> None:
    """Gives these contacts one more tag; those that have as many as they may stay as they are. Raises Invalid."""
    _checked(name, "tag")
    tag = next(iter(ensure([name]).values()))
    counted = dict.fromkeys(contact_ids, 0)
    query = select(ContactTag.contact_id, func.count()).where(ContactTag.contact_id.in_(contact_ids))
    for contact_id, many in db.session.execute(query.group_by(ContactTag.contact_id)):
        counted[contact_id] = many
    rows = [
        {"workspace_id": current_workspace_id(), "contact_id": contact_id, "tag_id": tag.id}
        for contact_id, many in counted.items()
        if many < MAX_TAGS
    ]
    if rows:
        db.session.execute(insert(ContactTag).values(rows).on_conflict_do_nothing())


def _by_name(folded: Iterable[str]) -> dict[str, Tag]:
    query = select(Tag).where(Tag.name_folded.in_(list(folded)))
    return {tag.name_folded: tag for tag in db.session.scalars(query)}


def _checked(name: str, field: str) -> str:
    wanted = clean(name)
    if not wanted:
        raise invalid(field, "tag_empty", "A tag has a name.")
    if len(wanted) > MAX_LENGTH:
        raise invalid(field, "too_long", f"A tag has at most {MAX_LENGTH} characters.")
    return wanted


def _refuse_known(name: str, tag_id: int | None) -> None:
    known = _by_name([name.casefold()]).get(name.casefold())
    if known is not None and known.id != tag_id:
        raise Conflict("tag_exists", "There is a tag of this name.", detail={"tag_id": known.id})
