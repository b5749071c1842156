"""Canned replies: texts for answers, with variables and files, of the workspace or of one person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, or_, select

from backend.channels import richtext
from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.models import CannedReply, Contact, Conversation, Identity, User
from backend.services import caps, paging, text_search
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access, attached, describing

MAX_TEXT: Final = 5_000
MAX_NAME: Final = 100
_SHORTCUT: Final = re.compile(r"[\w-]{1,40}")
_VARIABLE: Final = re.compile(r"\{\s*([a-z_]+(?:\.[a-z_]+)*)\s*(?:\|([^{}]{0,100}))?\}")
VARIABLES: Final = ("contact.name", "contact.first_name", "contact.last_name", "contact.company", "agent.name")
"""What a text may name as `{contact.first_name}`, with what stands in for it where it is not known:
`{contact.first_name|there}`. Custom fields are `{contact.fields.<key>}`."""
_FIELD: Final = "contact.fields."


def listing(
    by: Attribution, *, q: str | None = None, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[CannedReply], str | None]:
    """The workspace's replies and the person's own, oldest first; `q` is a part of a name, a shortcut or a text."""
    query = select(CannedReply).where(_usable(by))
    if q:
        like = text_search.holding(q.lstrip("/"))
        fields = (CannedReply.name, CannedReply.shortcut, CannedReply.text)
        query = query.where(or_(*(field.ilike(like, escape="\\") for field in fields)))
    with text_search.bounded():
        return paging.page(query, CannedReply.id, cursor=cursor, limit=limit, descending=False)


def get(by: Attribution, reply_id: int) -> CannedReply:
    """A reply that the person may use. Raises NotFound, also for another person's own."""
    matches = db.session.scalar(select(CannedReply).where(CannedReply.id == reply_id, _usable(by)))
    if matches is None:
        raise NotFound("canned_reply_not_found", "There is no such reply.")
    return matches


def create(by: Attribution, given: Mapping[str, Any]) -> CannedReply:
    """Adds a reply, with `personal` one of the person's own. Raises Invalid, NotFound (a file), Conflict."""
    caps.require_room("canned_replies", select(func.count()).select_from(CannedReply))
    now = clock.now()
    owner_id = by.user_id if given.get("personal") else None
    if given.get("personal") and owner_id is None:
        raise Forbidden("person_required", "Only a person has replies of their own.")
    reply = CannedReply(owner_user_id=owner_id, created_at=now, updated_at=now)
    _fill(reply, given)
    db.session.add(reply)
    db.session.flush()
    audit.record(by, "canned_reply.created", f"canned_reply:{reply.id}")
    return reply


def change(by: Attribution, reply_id: int, given: Mapping[str, Any]) -> CannedReply:
    """Changes the fields that are given. Raises NotFound, Invalid, Conflict (shortcut_taken)."""
    reply = get(by, reply_id)
    _fill(reply, given)
    reply.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "canned_reply.changed", f"canned_reply:{reply.id}", fields=sorted(given))
    return reply


def remove(by: Attribution, reply_id: int) -> None:
    """Removes a reply. Raises NotFound."""
    db.session.delete(get(by, reply_id))
    db.session.flush()
    audit.record(by, "canned_reply.deleted", f"canned_reply:{reply_id}")


def render(by: Attribution, reply_id: int, conversation_id: int) -> tuple[CannedReply, str]:
    """The reply and its text as it is said in a conversation, with the variables filled. Raises NotFound."""
    reply = get(by, reply_id)
    conversation = access.conversation(by.user_id, conversation_id)
    filled = values_of(by, conversation)
    return reply, fill(reply.text, filled, is_html=reply.format == "html")


def fill(text: str, values: Mapping[str, str], *, is_html: bool = False) -> str:
    """The text with its variables filled; one without a value says what stands in for it, or nothing."""

    def value_of(match: re.Match[str]) -> str:
        matches = values.get(match[1]) or (match[2] or "").strip()
        return richtext.escape(matches) if is_html else matches

    return _VARIABLE.sub(value_of, text)


def unknown_variables(text: str) -> list[str]:
    """The variables of a text that nobody knows."""
    names = [match[1] for match in _VARIABLE.finditer(text)]
    return [name for name in dict.fromkeys(names) if name not in VARIABLES and not name.startswith(_FIELD)]


def values(by: Attribution, conversation_id: int) -> dict[str, str]:
    """What the variables say in a conversation, by their names. Raises NotFound."""
    return values_of(by, access.conversation(by.user_id, conversation_id))


def values_of(by: Attribution, conversation: Conversation) -> dict[str, str]:
    """The same for a conversation that is loaded. Two statements."""
    row = db.session.execute(
        select(Identity, Contact)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .where(Identity.id == conversation.identity_id)
    ).one_or_none()
    identity, contact = (row[0], row[1]) if row is not None else (None, None)
    name = describing.contact_name(contact) or (identity.display_name if identity else None) or conversation.title or ""
    known = {"contact.name": name, "contact.first_name": name.split(" ")[0]}
    if contact is not None and contact.erased_at is None:
        for field in ("first_name", "last_name", "company"):
            if getattr(contact, field):
                known[f"contact.{field}"] = getattr(contact, field)
        known |= {f"{_FIELD}{key}": str(value) for key, value in contact.fields.items() if value is not None}
    person = db.session.get(User, by.user_id) if by.user_id is not None else None
    return known | {"agent.name": person.name if person is not None else ""}


def _fill(reply: CannedReply, given: Mapping[str, Any]) -> None:
    for name in ("name", "text", "format"):
        if name in given:
            setattr(reply, name, given[name])
    if "name" in given:
        reply.name = given["name"].strip()
        if not reply.name or len(reply.name) > MAX_NAME:
            raise Invalid.of("name", "name_length", f"A reply has a name of 1 to {MAX_NAME} characters.")
    if "text" in given and (unknown := unknown_variables(given["text"])):
        known = ", ".join(f"{{{name}}}" for name in VARIABLES)
        raise Invalid.of("text", "unknown_variable", f"There is no variable {{{unknown[0]}}}; known are {known}.")
    if "file_ids" in given:
        reply.file_ids = [file.id for file in attached.load(given["file_ids"])]
    if not reply.text and not reply.file_ids:
        raise Invalid.of("text", "empty_message", "A reply has a text or a file.")
    if "shortcut" in given:
        reply.shortcut = _shortcut(reply, given["shortcut"])


def _shortcut(reply: CannedReply, given: str | None) -> str | None:
    wanted = (given or "").strip().lstrip("/").casefold()
    if not wanted:
        return None
    if not _SHORTCUT.fullmatch(wanted):
        raise Invalid.of("shortcut", "invalid_shortcut", "A shortcut has 1 to 40 letters, digits, - and _.")
    query = select(CannedReply.id).where(CannedReply.shortcut == wanted)
    same = (
        CannedReply.owner_user_id.is_(None)
        if reply.owner_user_id is None
        else CannedReply.owner_user_id == reply.owner_user_id
    )
    with db.session.no_autoflush:
        known: Sequence[int] = db.session.scalars(query.where(same)).all()
    if any(reply_id != reply.id for reply_id in known):
        raise Conflict("shortcut_taken", "Another reply has this shortcut.", detail={"canned_reply_id": known[0]})
    return wanted


def _usable(by: Attribution) -> Any:
    return or_(CannedReply.owner_user_id.is_(None), CannedReply.owner_user_id == (by.user_id or 0))
