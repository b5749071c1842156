"""What the inbox's forms do, by its services: each by who is signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

from backend.core.errors import Conflict
from backend.http.console.inbox import queries
from backend.http.console.kit import form_errors, guards
from backend.http.console.kit.guards import actor, attribution
from backend.services import files
from backend.services.auth.actor import reaches
from backend.services.inbox import (
    access,
    availability,
    canned,
    control,
    drafts,
    handling,
    labels,
    notes,
    outgoing,
    presence,
    replies,
)
from backend.services.inbox.replies import Reply


def reply(
    conversation_id: int, text: str, file_ids: Sequence[int], *, not_before: datetime | None, expected: int | None
) -> None:
    """Sends an answer. Raises Conflict, Invalid, TooLarge, NotFound."""
    wanted = Reply(text, file_ids=tuple(file_ids), not_before=not_before, expect_last_message_id=expected)
    replies.write(attribution(), conversation_id, wanted)


def template(
    conversation_id: int,
    name: str,
    language: str,
    values: Mapping[str, str],
    *,
    not_before: datetime | None,
    expected: int | None,
) -> None:
    """Sends a template with its values by their keys. Raises as `reply`."""
    given = {"name": name, "language": language, "variables": dict(values)}
    wanted = Reply(template=given, not_before=not_before, expect_last_message_id=expected)
    replies.write(attribution(), conversation_id, wanted)


def note(conversation_id: int, text: str) -> None:
    """Leaves a note; whoever is named by `@` and their name is told. Raises Invalid."""
    notes.add(attribution(), conversation_id, text, mentioned(text, queries.people()))


def mentioned(text: str, people: Sequence[dict[str, Any]]) -> list[int]:
    """The ids of the people whom a text names with a sign before: the whole name, or its first word where that is one
    person's alone."""
    lower, ids = text.casefold(), []
    firsts = [person["name"].split(" ")[0].casefold() for person in people]
    for person, first in zip(people, firsts, strict=True):
        is_alone = firsts.count(first) == 1
        if f"@{person['name'].casefold()}" in lower or (is_alone and f"@{first}" in lower):
            ids.append(person["id"])
    return ids


def take_over(conversation_id: int) -> None:
    """A person answers, and the assistant is silent."""
    handling.take_over(attribution(), conversation_id)


def take_control(conversation_id: int) -> None:
    """Asks the provider to let us answer. Raises Conflict (`already_in_charge`, `not_supported`, its own reason)."""
    by = attribution()
    guards.commit_and_ask(control.question(by, conversation_id).ask)
    handling.take_control(by, conversation_id)


def hand_back(conversation_id: int) -> None:
    """The assistant answers again."""
    handling.hand_back(attribution(), conversation_id)


def assign(conversation_id: int, user_id: int | None) -> str | None:
    """Somebody is to answer, or nobody; their name. Raises NotFound, Invalid."""
    handling.assign(attribution(), conversation_id, user_id)
    return next((person["name"] for person in availability.team() if person["user_id"] == user_id), None)


def snooze(conversation_id: int, *, until: datetime | None, until_reply: bool) -> None:
    """It comes back later. Raises Invalid."""
    handling.snooze(attribution(), conversation_id, until, until_reply=until_reply)


def close(conversation_id: int) -> None:
    """It is done with."""
    handling.close(attribution(), conversation_id)


def reopen(conversation_id: int) -> None:
    """It is not done with, or comes back now."""
    handling.reopen(attribution(), conversation_id)


def read(conversation_id: int, up_to: int | None) -> None:
    """What is shown was seen."""
    handling.mark_read(attribution(), conversation_id, up_to)


def look(conversation_id: int) -> None:
    """Somebody has it open, and does not write."""
    presence.note(attribution(), access.conversation(actor().user_id, conversation_id), presence.VIEWING)


def typing(conversation_id: int) -> None:
    """Somebody writes: the others here see it, and the person where the channel shows it."""
    presence.note(attribution(), handling.show_typing(attribution(), conversation_id), presence.WRITING)


def delete_note(conversation_id: int, note_id: int) -> None:
    """Takes a note back. Raises NotFound, Forbidden."""
    notes.remove(attribution(), conversation_id, note_id, is_admin=reaches(actor().role, "admin"))


def upload(filename: str | None, stream: BinaryIO) -> int:
    """Stores a file that goes with an answer. Raises TooLarge, Invalid, Conflict."""
    return files.upload(attribution(), filename, stream).id


def save_draft(conversation_id: int, text: str) -> None:
    """Keeps what was typed so far."""
    drafts.put(attribution(), conversation_id, text)


def forget_draft(conversation_id: int) -> None:
    """What was written has been taken."""
    drafts.discard(conversation_id, actor().user_id)


def retry(message_id: int) -> None:
    """Sends what failed once more; of what may have arrived, a person has decided it by pressing."""
    outgoing.retry(attribution(), message_id, although_unknown=True)


def cancel(message_id: int) -> None:
    """Takes back what waits."""
    outgoing.take_back(attribution(), message_id)


def label(conversation_id: int, *, label_id: int | None, name: str) -> str:
    """Gives the conversation a label more, which is made where it is new; its name. Raises Invalid, NotFound."""
    by = attribution()
    if label_id is None:
        try:
            label_id = labels.create(by, name).id
        except Conflict as known:
            label_id = form_errors.detail_of(known, "label_id")
            if label_id is None:
                raise
    given = labels.of_conversations([conversation_id]).get(conversation_id, ())
    labels.put(by, conversation_id, list(dict.fromkeys([*given, label_id])))
    return labels.get(label_id).name


def unlabel(conversation_id: int, label_id: int) -> str:
    """Takes a label off; its name. Raises NotFound."""
    named = labels.get(label_id).name
    given = labels.of_conversations([conversation_id]).get(conversation_id, ())
    labels.put(attribution(), conversation_id, [person for person in given if person != label_id])
    return named


def save_canned(canned_id: int | None, given: dict[str, Any]) -> None:
    """Adds a canned reply, or changes one. Raises Invalid, Conflict, NotFound."""
    fields = {name: given[name] for name in ("name", "shortcut", "text")}
    if canned_id is None:
        canned.create(attribution(), fields | {"format": "plain", "file_ids": [], "personal": given["mine"]})
    else:
        canned.change(attribution(), canned_id, fields)


def delete_canned(canned_id: int) -> None:
    """Deletes a canned reply. Raises NotFound."""
    canned.remove(attribution(), canned_id)
