"""Conversations of the inbox, and what is done with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints, field_validator

from backend.http.schemas.base import Id, Input, Instant, Moment, Output, PageQuery

Status = Literal["bot", "open", "waiting", "snoozed", "closed"]
Ids = Annotated[list[Id], Field(max_length=1000)]
Words = Annotated[str, StringConstraints(max_length=100)]


class LabelRef(Output):
    """A label as a conversation has it."""

    id: int
    name: str = Field(examples=["urgent"])
    color: str = Field(examples=["red"])


class PersonOfConversation(Output):
    """The person on the other side."""

    id: int | None = Field(description="The contact; null where there is none yet")
    identity_id: int | None
    name: str | None = Field(examples=["Ada Sample"])
    username: str | None


class LastMessage(Output):
    """The last message, for lists."""

    id: int
    direction: str = Field(description="in or out", examples=["in"])
    via: str = Field(examples=["provider"])
    kind: str = Field(examples=["text"])
    text: str = Field(description="At most 200 characters", examples=["Is the flat still free?"])
    at: Instant
    state: str = Field(examples=["received"])
    deleted_at: Instant | None
    author_user_id: int | None


class TimerOut(Output):
    """A timer of answers."""

    due_at: Instant
    answered_at: Instant | None = Field(description="Of the first answer: when a person gave it")
    late: bool


class Sla(Output):
    """Both timers; null for one that does not run."""

    first_response: TimerOut | None
    next_response: TimerOut | None


class ConversationOut(Output):
    """A conversation: one person, on one integration."""

    id: int
    channel: str = Field(examples=["whatsapp"])
    integration_id: int
    contact: PersonOfConversation
    status: str = Field(description="bot, open, waiting, snoozed or closed", examples=["open"])
    in_charge: str = Field(description="us, other or page_inbox: who may answer at the provider", examples=["us"])
    assignee_id: int | None
    assignee_name: str | None = Field(examples=["Kim"])
    labels: list[LabelRef]
    unread_count: int
    last_message: LastMessage | None
    last_message_id: int | None
    last_activity_at: Instant
    reply_until: Instant | None = Field(description="When free answers end; null where the channel knows no end")
    reply_reason: str | None = Field(examples=["message_24h"])
    waiting_since: Instant | None = Field(description="Since when the person waits for an answer")
    first_inbound_at: Instant | None
    answered_at: Instant | None = Field(description="When a person of the workspace first answered")
    sla: Sla
    snoozed_until: Instant | None
    snoozed_until_reply: bool
    blocked_code: str | None = Field(description="Why nothing may be sent there")
    visibility: str = Field(examples=["workspace"])
    owner_user_id: int | None


class ConversationFilterIn(Input):
    """Which conversations; all that is named has to fit."""

    status: list[Status] = Field(default_factory=list, max_length=5)
    channel: str | None = Field(default=None, max_length=64, examples=["whatsapp"])
    integration_id: Id | None = None
    assignee: str | None = Field(
        default=None, pattern=r"^(me|none|[0-9]{1,18})$", description="me, none or a person's id", examples=["me"]
    )
    label: list[Words] = Field(default_factory=list, max_length=10, description="Ids or names; all of them")
    unread: bool | None = None
    late: bool | None = Field(default=None, description="Only those that a person should have answered by now")
    contact_id: Id | None = None
    q: Words | None = Field(default=None, description="A part of a name, or words that were written", examples=["flat"])

    @field_validator("status", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """`status=open,waiting` and `status=open&status=waiting` mean the same."""
        if value is None:
            return []
        items = value if isinstance(value, list | tuple) else [value]
        return [part.strip() for item in items for part in str(item).split(",") if part.strip()]


class ConversationsQuery(ConversationFilterIn, PageQuery):
    """Which conversations, a page of them."""


class Conversations(Output):
    """A page of conversations, the latest activity first."""

    conversations: list[ConversationOut]
    next_cursor: str | None


class ConversationCounts(Output):
    """How many conversations each tab has. 1000 means so many or more."""

    bot: int
    open: int
    waiting: int
    snoozed: int
    closed: int
    mine: int
    unassigned: int
    unread: int
    late: int


class AssignIn(Input):
    """To whom; `by_rules` leaves it to the assignment rules."""

    assignee_id: Id | None = Field(default=None, description="A person; null for nobody", examples=[None])
    by_rules: StrictBool = False


class ConversationSnoozeIn(Input):
    """Until a moment, or until the person writes, which ends any snooze."""

    until: Moment | None = Field(default=None, examples=["2027-01-04T09:00:00Z"])
    until_reply: StrictBool = False


class ReadIn(Input):
    """Up to which message everything was seen; all of it where none is named."""

    up_to: Id | None = Field(default=None, examples=[None])


class PresenceIn(Input):
    """What the person does: `viewing`, `writing` or `gone`."""

    state: Literal["viewing", "writing", "gone"] = "viewing"


class Viewer(Output):
    """Somebody else who is at the conversation."""

    user_id: int
    name: str = Field(examples=["Kim"])
    is_writing: bool


class Viewers(Output):
    """Who else is at the conversation now."""

    viewers: list[Viewer]


class LabelsIn(Input):
    """The labels that the conversation has from now on."""

    label_ids: list[Id] = Field(max_length=20)


class BulkIn(Input):
    """What is done with which conversations: those named, or those that pass the filter (the latest thousand)."""

    action: Literal["close", "reopen", "assign", "label", "snooze"]
    ids: Ids = Field(default_factory=list)
    filter: ConversationFilterIn | None = Field(default=None, examples=[None])
    assignee_id: Id | None = Field(default=None, description="For assign; null for nobody", examples=[None])
    add_labels: list[Id] = Field(default_factory=list, max_length=20)
    remove_labels: list[Id] = Field(default_factory=list, max_length=20)
    until: Moment | None = Field(default=None, description="For snooze", examples=[None])
    until_reply: StrictBool = False


class UndoRef(Output):
    """By what, and until when, a change can be taken back."""

    id: int
    until: Instant


class BulkOut(Output):
    """How many conversations were meant, and how many it changed."""

    matched: int
    changed: int
    undo: UndoRef | None


class UndoOut(Output):
    """How many things got back what they had."""

    restored: int


class NoteIn(Input):
    """A note for the team. Who is mentioned is told."""

    text: str = Field(min_length=1, max_length=5000, examples=["The deposit can be paid in two parts."])
    mentions: list[Id] = Field(default_factory=list, max_length=20)


class NoteOut(Output):
    """A note."""

    id: int
    conversation_id: int
    author_user_id: int | None
    text: str
    mentions: list[int]
    created_at: Instant


class Notes(Output):
    """A page of notes, the newest first."""

    notes: list[NoteOut]
    next_cursor: str | None


class DraftIn(Input):
    """What the person has written so far; an empty one goes."""

    text: str = Field(default="", max_length=20_000, examples=["Yes, it is the living"])
    file_ids: list[Id] = Field(default_factory=list, max_length=10)
    reply_to: Id | None = Field(default=None, examples=[None])


class DraftOut(Output):
    """A person's own draft; an empty text where there is none."""

    text: str
    file_ids: list[int]
    reply_to: int | None
    updated_at: Instant | None
