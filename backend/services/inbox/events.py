"""Events about the work on conversations, published in the workspace's scope."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class PersonMentioned(Event):
    """A note about a conversation names a person, who may see it."""

    workspace_id: int
    conversation_id: int
    note_id: int
    user_id: int
    author_user_id: int | None


@dataclass(frozen=True, slots=True)
class AnswerLate(Event):
    """A person should have answered by now and nobody has. `kind` is `first_response` or `next_response`."""

    workspace_id: int
    conversation_id: int
    kind: str
    assignee_id: int | None


@dataclass(frozen=True, slots=True)
class AnswerNoLongerLate(Event):
    """What was late was answered, or needs no answer any more."""

    workspace_id: int
    conversation_id: int
