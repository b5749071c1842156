"""Conversations of the inbox: the list, one of them, what the team notes about it, and changes of many at once."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.conversations import (
    BulkIn,
    BulkOut,
    ConversationCounts,
    ConversationFilterIn,
    ConversationOut,
    Conversations,
    ConversationsQuery,
    DraftIn,
    DraftOut,
    LabelsIn,
    NoteIn,
    NoteOut,
    Notes,
    Viewers,
)
from backend.models import ConversationNote
from backend.models.user import ADMIN
from backend.services.inbox import access as inbox_access
from backend.services.inbox import bulk, describing, drafts, labels, listing, notes, presence
from backend.services.inbox.listing import ConversationFilter

bp = APIBlueprint("conversations", __name__, url_prefix="/api/conversations", tag="Inbox")


@bp.get("")
@access()
@bp.input(ConversationsQuery, location="query")
@bp.output(Conversations)
def list_conversations(query_data: ConversationsQuery) -> dict[str, Any]:
    """List conversations, the latest activity first

    One conversation is one person on one integration. `assignee=me` are the caller's, `assignee=none` nobody's.
    """
    user_id = guards.actor().user_id
    matches, following = listing.page(
        user_id, filter_of(query_data, user_id), cursor=query_data.cursor, limit=query_data.limit
    )
    return {"conversations": describing.describe(matches), "next_cursor": following}


@bp.get("/counts")
@access()
@bp.output(ConversationCounts)
def counts() -> dict[str, int]:
    """Count the conversations of each tab, up to 1000"""
    return listing.counts(guards.actor().user_id)


@bp.post("/bulk")
@access("operator", idempotent=True)
@bp.input(BulkIn)
@bp.output(BulkOut)
def change_many(json_data: BulkIn) -> bulk.Done:
    """Change many conversations at once

    At most a thousand; those that the caller may not see are passed over. `undo` takes it back for half an hour.
    """
    by, given = guards.attribution(), json_data
    change = bulk.Change(
        action=given.action,
        assignee_id=given.assignee_id,
        add_labels=tuple(given.add_labels),
        remove_labels=tuple(given.remove_labels),
        until=given.until,
        until_reply=given.until_reply,
    )
    wanted = None if given.filter is None else filter_of(given.filter, by.user_id)
    return bulk.run(by, change, conversation_ids=given.ids, wanted=wanted)


@bp.get("/<int:conversation_id>")
@access()
@bp.output(ConversationOut)
def show(conversation_id: int) -> dict[str, Any]:
    """Show a conversation"""
    return describing.describe_one(inbox_access.conversation(guards.actor().user_id, conversation_id))


@bp.put("/<int:conversation_id>/labels")
@access("operator")
@bp.input(LabelsIn)
@bp.output(ConversationOut)
def put_labels(conversation_id: int, json_data: LabelsIn) -> dict[str, Any]:
    """Give a conversation these labels and no others"""
    return describing.describe_one(labels.put(guards.attribution(), conversation_id, json_data.label_ids))


@bp.get("/<int:conversation_id>/viewers")
@access()
@bp.output(Viewers)
def viewers(conversation_id: int) -> dict[str, Any]:
    """Show who else reads a conversation or writes in it now"""
    return {"viewers": presence.of(guards.actor().user_id, conversation_id)}


@bp.get("/<int:conversation_id>/notes")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Notes)
def list_notes(conversation_id: int, query_data: PageQuery) -> dict[str, Any]:
    """List the team's notes about a conversation, the newest first"""
    user_id = guards.actor().user_id
    matches, following = notes.listing(user_id, conversation_id, cursor=query_data.cursor, limit=query_data.limit)
    return {"notes": matches, "next_cursor": following}


@bp.post("/<int:conversation_id>/notes")
@access("operator", idempotent=True)
@bp.input(NoteIn)
@bp.output(NoteOut, status_code=201)
def add_note(conversation_id: int, json_data: NoteIn) -> ConversationNote:
    """Add a note, which only the team sees

    It is never sent and never given to a model. Who is mentioned is told by Telegram, as their settings say.
    """
    return notes.add(guards.attribution(), conversation_id, json_data.text, json_data.mentions)


@bp.delete("/<int:conversation_id>/notes/<int:note_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove_note(conversation_id: int, note_id: int) -> Response:
    """Take a note back; its author can, and an admin"""
    notes.remove(guards.attribution(), conversation_id, note_id, is_admin=guards.actor().reaches(ADMIN))
    return Response(status=204)


@bp.get("/<int:conversation_id>/draft")
@access()
@bp.output(DraftOut)
def draft(conversation_id: int) -> dict[str, Any]:
    """Show what the caller has begun to write"""
    return _draft(drafts.get(guards.attribution(), conversation_id))


@bp.put("/<int:conversation_id>/draft")
@access("operator")
@bp.input(DraftIn)
@bp.output(DraftOut)
def put_draft(conversation_id: int, json_data: DraftIn) -> dict[str, Any]:
    """Keep what the caller has begun to write, for all their devices; an empty text takes it away"""
    given = json_data
    return _draft(
        drafts.put(guards.attribution(), conversation_id, given.text, file_ids=given.file_ids, reply_to=given.reply_to)
    )


def filter_of(given: ConversationFilterIn, user_id: int | None) -> ConversationFilter:
    """The filter that these parameters stand for."""
    assignee: Any = given.assignee
    if assignee == "me":
        assignee = user_id
    elif assignee is not None and assignee != "none":
        assignee = int(assignee)
    return ConversationFilter(
        status=tuple(given.status),
        channel=given.channel,
        integration_id=given.integration_id,
        assignee=assignee,
        label=tuple(given.label),
        unread=given.unread,
        late=given.late,
        contact_id=given.contact_id,
        q=given.q,
    )


def _draft(matches: Any) -> dict[str, Any]:
    names = ("text", "file_ids", "reply_to", "updated_at")
    if matches is None:
        return dict(zip(names, ("", [], None, None), strict=True))
    return {name: getattr(matches, name) for name in names}
