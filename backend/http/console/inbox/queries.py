"""What the inbox shows, as its services have it: by a fixed number of statements for any number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.http.console.contacts import shown as contact_names
from backend.http.console.inbox import bubbles
from backend.http.console.inbox.contents import t
from backend.http.console.kit import pages
from backend.models import CannedReply, Conversation, Message
from backend.services import files
from backend.services.auth.attribution import Attribution
from backend.services.channel_setup import templates as message_templates
from backend.services.contacts import points
from backend.services.inbox import (
    access,
    assistants,
    availability,
    canned,
    describing,
    drafts,
    labels,
    listing,
    notes,
    presence,
    search,
    texts,
    thread,
    thread_describing,
)
from backend.services.paging import MAX_LIMIT
from backend.services.senders import access as senders

VARIABLES: Final = tuple(f"{{{name}}}" for name in canned.VARIABLES)
ROWS: Final = 50
HITS: Final = 20
_MAX_NOTES: Final = 100
_MAX_CHOICES: Final = 200
_MAX_POINTS: Final = 8
_TABS: Final[Mapping[str, tuple[tuple[str, ...], Literal["none"] | None]]] = {
    "open": (("open",), None),
    "mine": (("open", "waiting", "snoozed"), None),
    "nobody": (("open",), "none"),
    "bot": (("bot",), None),
    "waiting": (("waiting",), None),
    "snoozed": (("snoozed",), None),
    "closed": (("closed",), None),
    "all": ((), None),
}
"""The states of each tab, and whether nobody is to have it."""


@dataclass(slots=True)
class Listed:
    """A page of the list: conversations as the services describe them, what a search found in messages, and how many
    each tab has."""

    rows: list[dict[str, Any]]
    following: str | None = None
    hits: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    is_partial: bool = False


def listed(user_id: int, chosen: Mapping[str, str], show: str, cursor: str | None) -> Listed:
    """The conversations that the address asks for. Raises Invalid."""
    words = chosen.get("q")
    hits = search.Found()
    if words:
        hits = search.find(user_id, search.Wanted(words, kinds=("messages",)), limit=HITS)
    statuses, assignee = _TABS[show]
    wanted = listing.ConversationFilter(
        status=statuses,
        assignee=user_id if show == "mine" else assignee,
        channel=chosen.get("channel"),
        label=(chosen["label"],) if "label" in chosen else (),
        unread=True if "unread" in chosen else None,
        q=words,
    )
    conversations, following = listing.page(user_id, wanted, cursor=cursor, limit=ROWS)
    rows = [_listed(item, about) for item, about in zip(conversations, describing.describe(conversations), strict=True)]
    return Listed(rows, following, hits.results, listing.counts(user_id), hits.partial)


def unread(user_id: int) -> int:
    """Conversations with something that nobody has seen."""
    return listing.counts(user_id)["unread"]


def conversation(user_id: int, conversation_id: int) -> tuple[Conversation, dict[str, Any]]:
    """One conversation with what stands beside it. Raises NotFound."""
    conversation_row = access.conversation(user_id, conversation_id)
    about = describing.describe_one(conversation_row)
    return conversation_row, _listed(conversation_row, about) | _beside(conversation_row, about)


@dataclass(frozen=True, slots=True)
class ThreadPart:
    """Messages and notes of a thread, oldest first, with a line for each day, and whether there are older ones."""

    items: list[dict[str, Any]]
    has_older: bool


def items(
    user_id: int, conversation_row: Conversation, about: Mapping[str, Any], limit: int, around: int | None
) -> ThreadPart:
    """The newest messages of a conversation with the notes among them; with `around` those next to that message.

    Raises NotFound where `around` is no message of it.
    """
    if around is None:
        messages, has_older = _newest(user_id, conversation_row.id, limit)
    else:
        _, messages, following = thread.page(user_id, conversation_row.id, around=around, limit=limit)
        has_older = following is not None
    described = thread_describing.describe(conversation_row, messages, pages.locale())
    written, _ = notes.listing(user_id, conversation_row.id, limit=_MAX_NOTES)
    since = described[-1]["at"] if described and has_older else None
    until = described[0]["at"] if described and around is not None else None
    kept = [
        note
        for note in written
        if (since is None or note.created_at >= since) and (until is None or note.created_at <= until)
    ]
    names = describing.names_of([note.author_user_id for note in kept if note.author_user_id is not None])
    entries = [
        {
            "id": note.id,
            "author_user_id": note.author_user_id,
            "author_name": names.get(note.author_user_id or 0),
            "text": note.text,
            "created_at": note.created_at,
        }
        for note in kept
    ]
    known = {"id": conversation_row.id, "name": about["name"], "me_id": user_id}
    return ThreadPart(bubbles.items(described, entries, known), has_older)


def arrived(user_id: int, conversation_id: int, after: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The conversation, and what was said in it after a message."""
    conversation_row, messages, _ = thread.page(user_id, conversation_id, after=after or None, limit=10)
    about = _listed(conversation_row, describing.describe_one(conversation_row))
    described = thread_describing.describe(conversation_row, messages, pages.locale())
    known = {"id": conversation_row.id, "name": about["name"], "me_id": user_id}
    return about, [item for item in bubbles.items(described, [], known) if item.get("side")]


def versions(user_id: int, message_id: int) -> list[dict[str, Any]]:
    """What a message said before, the newest first. Raises NotFound."""
    entries = thread.versions(user_id, message_id)[1:]
    return [{"text": "\n".join(map(texts.part_text, texts.parts_of(body))), "at": since} for _, body, since in entries]


def labels_of_workspace() -> Sequence[Any]:
    """The labels that one may choose from."""
    return labels.listing(limit=_MAX_CHOICES)[0]


def people() -> list[dict[str, Any]]:
    """Those who may be given a conversation, by name, with what each has."""
    return availability.team()


def draft(by: Attribution, conversation_id: int) -> dict[str, str]:
    """What the reader has begun to write."""
    draft_row = drafts.get(by, conversation_id)
    return {"text": draft_row.text if draft_row is not None else "", "mode": "reply"}


def others(user_id: int, conversation_id: int) -> str | None:
    """Who else writes in it, or has it open, in a line. Raises NotFound."""
    there = presence.of(user_id, conversation_id)
    names = [item["name"] for item in there if item["is_writing"]]
    if names:
        return t("writing", name=", ".join(names))
    return t("looking", name=", ".join(item["name"] for item in there)) if there else None


def canned_replies(by: Attribution, conversation_id: int) -> list[dict[str, Any]]:
    """The canned replies as they would be said to the conversation's person, with the names of their files."""
    replies, _ = canned.listing(by, limit=_MAX_CHOICES)
    values = canned.values(by, conversation_id)
    named = files.names_of({file_id for item in replies for file_id in item.file_ids})
    return [
        {
            "name": item.name,
            "shortcut": item.shortcut,
            "text": canned.fill(item.text, values),
            "files": [{"id": file_id, "name": named[file_id]} for file_id in item.file_ids if file_id in named],
        }
        for item in replies
    ]


def templates(conversation_row: Conversation) -> list[dict[str, Any]]:
    """The approved templates of the conversation's number: how each reads, and what it asks for."""
    approved, _ = message_templates.listing(
        conversation_row.sender_id, state=message_templates.APPROVED, limit=_MAX_CHOICES
    )
    return [
        {
            "key": f"{item.name}/{item.language}",
            "name": item.name,
            "category": item.category,
            "language": item.language,
            "variables": message_templates.shape_of(item).keys,
            "text": message_templates.preview(item).text,
        }
        for item in approved
    ]


def all_canned(by: Attribution) -> list[dict[str, Any]]:
    """The canned replies that one may use, oldest first."""
    return [_canned(item) for item in canned.listing(by, limit=_MAX_CHOICES)[0]]


def canned_reply(by: Attribution, canned_id: int) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    return _canned(canned.get(by, canned_id))


def _canned(item: CannedReply) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "shortcut": item.shortcut or "",
        "text": item.text,
        "mine": item.owner_user_id is not None,
    }


def _newest(user_id: int, conversation_id: int, limit: int) -> tuple[list[Message], bool]:
    """The newest `limit` messages, newest first, by pages of the service's size."""
    messages: list[Message] = []
    cursor = None
    while len(messages) < limit:
        wanted = min(limit - len(messages), MAX_LIMIT)
        _, page, cursor = thread.page(user_id, conversation_id, cursor=cursor, limit=wanted)
        messages += page
        if cursor is None:
            break
    return messages, cursor is not None


def _listed(item: Conversation, about: Mapping[str, Any]) -> dict[str, Any]:
    """The conversation as the page names things."""
    contact = about["contact"]
    is_timed = item.sla_due_at is not None and item.sla_since == item.waiting_since
    return {
        **about,
        "name": contact["name"] or contact["username"] or t("nameless", id=str(item.id)),
        "assignee": about["assignee_name"],
        "contact_id": contact["id"],
        "due_at": item.sla_due_at if is_timed else None,
        "unread": item.unread_count,
    }


def _beside(item: Conversation, about: Mapping[str, Any]) -> dict[str, Any]:
    """What the head and the person's pane say besides."""
    sender = senders.by_id(item.sender_id)
    contact_id = about["contact"]["id"]
    known = points.of_contacts([contact_id]).get(contact_id, []) if contact_id is not None else []
    named = [(t(f"point.{point.kind}"), contact_names.value_of(points.describe(point, False))) for point in known]
    username = about["contact"]["username"]
    if username and not any(point.kind == "username" for point in known):
        named.append((t("point.username"), f"@{username}"))
    return {
        "sender": sender.name if sender is not None else "",
        "points": named[:_MAX_POINTS],
        "has_assistant": assistants.answers(item.workspace_id, item.sender_id),
    }
