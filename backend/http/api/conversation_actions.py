"""What is done with a conversation besides answering: take it, give it, close it, put it off, read it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.conversations import AssignIn, ConversationOut, ConversationSnoozeIn, PresenceIn, ReadIn
from backend.services.inbox import access as inbox_access
from backend.services.inbox import control, describing, handling, presence

bp = APIBlueprint("conversation_actions", __name__, url_prefix="/api/conversations/<int:conversation_id>", tag="Inbox")


@bp.post("/take-over")
@access("operator")
@bp.output(ConversationOut)
def take_over(conversation_id: int) -> dict[str, Any]:
    """Answer yourself from now on; the assistant is silent"""
    return describing.describe_one(handling.take_over(guards.attribution(), conversation_id))


@bp.post("/hand-back")
@access("operator")
@bp.output(ConversationOut)
def hand_back(conversation_id: int) -> dict[str, Any]:
    """Give a conversation back to the assistant

    Where no assistant answers it is 409 `no_assistant`.
    """
    return describing.describe_one(handling.hand_back(guards.attribution(), conversation_id))


@bp.post("/take-control")
@access("operator")
@bp.output(ConversationOut)
def take_control(conversation_id: int) -> dict[str, Any]:
    """Ask the provider to let us answer again, where another application or its own inbox is in charge

    409 `already_in_charge` where it is us, and the provider's own reason where it refuses. On a channel that is not
    asked (WhatsApp), the next answer takes over.
    """
    by = guards.attribution()
    asked = control.question(by, conversation_id)
    guards.ask_and_rerun(asked.ask)
    return describing.describe_one(handling.take_control(by, conversation_id))


@bp.post("/assign")
@access("operator")
@bp.input(AssignIn)
@bp.output(ConversationOut)
def assign(conversation_id: int, json_data: AssignIn) -> dict[str, Any]:
    """Give a conversation to somebody, or to nobody"""
    by = guards.attribution()
    given = handling.assign(by, conversation_id, json_data.assignee_id, by_rules=json_data.by_rules)
    return describing.describe_one(given)


@bp.post("/close")
@access("operator")
@bp.output(ConversationOut)
def close(conversation_id: int) -> dict[str, Any]:
    """Close a conversation; the person's next message opens it again"""
    return describing.describe_one(handling.close(guards.attribution(), conversation_id))


@bp.post("/reopen")
@access("operator")
@bp.output(ConversationOut)
def reopen(conversation_id: int) -> dict[str, Any]:
    """Open a conversation that was closed or put off"""
    return describing.describe_one(handling.reopen(guards.attribution(), conversation_id))


@bp.post("/snooze")
@access("operator")
@bp.input(ConversationSnoozeIn)
@bp.output(ConversationOut)
def snooze(conversation_id: int, json_data: ConversationSnoozeIn) -> dict[str, Any]:
    """Put a conversation off until a moment, or until the person writes, which ends any snooze"""
    by = guards.attribution()
    put_off = handling.snooze(by, conversation_id, json_data.until, until_reply=json_data.until_reply)
    return describing.describe_one(put_off)


@bp.post("/read")
@access("operator")
@bp.input(ReadIn)
@bp.output(ConversationOut)
def read(conversation_id: int, json_data: ReadIn) -> dict[str, Any]:
    """Note that everything was seen, or everything up to a message"""
    return describing.describe_one(handling.mark_read(guards.attribution(), conversation_id, json_data.up_to))


@bp.post("/typing")
@access("operator")
@bp.output({}, status_code=204)
def typing(conversation_id: int) -> Response:
    """Show the person, and the team, that the caller writes

    The person sees it where the channel can show it; the team hears it as a live event that passes by.
    """
    by = guards.attribution()
    presence.note(by, handling.show_typing(by, conversation_id), presence.WRITING)
    return Response(status=204)


@bp.post("/presence")
@access()
@bp.input(PresenceIn)
@bp.output({}, status_code=204)
def put_presence(conversation_id: int, json_data: PresenceIn) -> Response:
    """Show the team that the caller has a conversation before them, writes in it, or has left it

    It is kept for 25 seconds and told as a live event that passes by; a page says it again every ten seconds.
    """
    by = guards.attribution()
    presence.note(by, inbox_access.conversation(by.user_id, conversation_id), json_data.state)
    return Response(status=204)
