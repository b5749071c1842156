"""The examples of the inbox; see `objects`."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Identity, Message, MessagePart, User
from backend.services.inbox import assignment_rules, assistants, bulk, canned, labels, notes, search_index
from tests.http import callers, holdings
from tests.http.objects import Example, example
from tests.support import factories

_made = count()
WORDS = "Is the flat in Harbour Row still free?"


def conversation(caller: User, **values: Any) -> Conversation:
    """A conversation of the inbox in which a person wrote."""
    home = holdings.home(caller)
    bot = factories.bot(home)
    number = next(_made)
    now = clock.now()
    given = {
        "in_inbox": True,
        "status": "open",
        "unread_count": 1,
        "last_activity_at": now,
        "last_inbound_at": now,
        "first_inbound_at": now,
        "waiting_since": now,
        "title": f"Ada {number}",
    }
    with workspace_scope(caller.workspace_id):
        made = factories.conversation(home, bot, str(6_000_000 + number), **given | values)
        message = said(made, WORDS)
        made.last_message_id = made.last_inbound_message_id = message.id
        db.session.flush()
    return made


def said(chat: Conversation, text: str, *, direction: str = "in", **values: Any) -> Message:
    """A message of a conversation, found by the search."""
    now = clock.now()
    number = next(_made)
    given = {
        "workspace_id": chat.workspace_id,
        "conversation_id": chat.id,
        "sender_id": chat.sender_id,
        "direction": direction,
        "kind": "text" if direction == "in" else "conversation_reply",
        "state": "received" if direction == "in" else "sent",
        "body": {"parts": [{"text": text, "format": "plain"}]},
        "external_id": str(number),
        "created_at": now,
        "happened_at": now,
        "via": "provider" if direction == "in" else "console",
    }
    made = Message(**given | values)
    with system_scope("a test's rows"):
        db.session.add(made)
        db.session.flush()
        part = {"sender_id": chat.sender_id, "chat_key": chat.chat_key, "box": "", "external_id": made.external_id}
        db.session.add(
            MessagePart(workspace_id=chat.workspace_id, message_id=made.id, part=0, sent_version=1, sent_at=now, **part)
        )
        db.session.flush()
        search_index.index_messages([made])
    return made


def identity(chat: Conversation, name: str, contact_id: int | None = None) -> Identity:
    """The person of a conversation."""
    now = clock.now()
    with system_scope("a test's rows"):
        made = Identity(
            workspace_id=chat.workspace_id,
            channel="telegram",
            external_hash=f"identity-{chat.id}".encode(),
            display_name=name,
            contact_id=contact_id,
            created_at=now,
            updated_at=now,
        )
        made.external_id = str(chat.id)
        db.session.add(made)
        db.session.flush()
        chat.identity_id = made.id
        db.session.flush()
    return made


def label(caller: User) -> int:
    """A label's id."""
    with workspace_scope(caller.workspace_id):
        return labels.create(factories.by("user:1"), f"urgent {next(_made)}", "red").id


def canned_reply(caller: User) -> int:
    """A canned reply's id."""
    given = {"name": "Deposit", "shortcut": f"deposit-{next(_made)}", "text": "Hello {contact.first_name|there}!"}
    with workspace_scope(caller.workspace_id):
        return canned.create(factories.by("user:1"), given).id


def rule(caller: User) -> int:
    """An assignment rule's id."""
    with workspace_scope(caller.workspace_id):
        person = callers.member(holdings.home(caller), role="operator").id
        return assignment_rules.create(factories.by("user:1"), {"name": "Lettings", "user_ids": [person]}).id


def note(caller: User) -> tuple[int, int]:
    """A conversation and a note of it, by their ids."""
    chat = conversation(caller)
    with workspace_scope(caller.workspace_id):
        return chat.id, notes.add(factories.by("user:1", caller.id), chat.id, "Two parts are fine.").id


@example("conversations.list_conversations")
def _list(caller: User) -> Example:
    chat = conversation(caller)
    return Example(query={"status": "open", "integration_id": chat.sender_id, "unread": "true", "assignee": "none"})


@example("conversations.counts", "inbox.team", "inbox.show_settings")
def _own(caller: User) -> Example:
    conversation(caller)
    return Example()


@example("labels.list_labels", "canned_replies.list_replies", "assignment_rules.list_rules")
def _page(caller: User) -> Example:
    label(caller), canned_reply(caller), rule(caller)
    return Example(query={"limit": 2})


@example("conversations.change_many")
def _bulk(caller: User) -> Example:
    return Example(json={"action": "close", "ids": [conversation(caller).id]})


@example("inbox.undo")
def _undo(caller: User) -> Example:
    chat = conversation(caller)
    with workspace_scope(caller.workspace_id):
        done = bulk.run(factories.by("user:1", caller.id), bulk.Change("close"), conversation_ids=[chat.id])
        assert done.undo is not None
        return Example(path={"undo_id": done.undo.id})


@example(
    "conversations.show",
    "conversations.viewers",
    "conversations.list_notes",
    "conversations.draft",
    "conversation_actions.take_over",
    "conversation_actions.close",
    "conversation_actions.reopen",
    "conversation_messages.list_messages",
)
def _conversation(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller).id})


@example("conversation_actions.hand_back")
def _hand_back(caller: User) -> Example:
    chat = conversation(caller)
    own = chat.workspace_id
    assistants.register(lambda workspace_id, _sender_id: workspace_id == own)
    return Example(path={"conversation_id": chat.id})


@example("conversation_actions.take_control")
def _take_control(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller, in_charge="other").id})


@example("conversations.put_labels")
def _labels(caller: User) -> Example:
    label_id = label(caller)
    path = {"conversation_id": conversation(caller).id}
    return Example(path=path, json={"label_ids": [label_id]})


@example("conversations.add_note")
def _add_note(caller: User) -> Example:
    path = {"conversation_id": conversation(caller).id}
    return Example(path=path, json={"text": "Two parts are fine.", "mentions": []}, status=201)


@example("conversations.remove_note")
def _remove_note(caller: User) -> Example:
    conversation_id, note_id = note(caller)
    return Example(path={"conversation_id": conversation_id, "note_id": note_id}, status=204)


@example("conversations.put_draft")
def _draft(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller).id}, json={"text": "Yes, it is"})


@example("conversation_actions.assign")
def _assign(caller: User) -> Example:
    chat = conversation(caller)
    return Example(path={"conversation_id": chat.id}, json={"assignee_id": None, "by_rules": True})


@example("conversation_actions.snooze")
def _snooze(caller: User) -> Example:
    until = (clock.now() + timedelta(hours=1)).isoformat()
    return Example(path={"conversation_id": conversation(caller).id}, json={"until": until})


@example("conversation_actions.read")
def _read(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller).id}, json={})


@example("conversation_actions.typing")
def _typing(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller).id}, status=204)


@example("conversation_actions.put_presence")
def _presence(caller: User) -> Example:
    return Example(path={"conversation_id": conversation(caller).id}, json={"state": "viewing"}, status=204)


@example("conversation_messages.write")
def _write(caller: User) -> Example:
    chat = conversation(caller)
    body = {"text": "Yes, it is.", "expect_last_message_id": chat.last_message_id}
    foreign = [{"json": {"text": "See this", "file_ids": [holdings.file(caller)]}}]
    return Example(path={"conversation_id": chat.id}, json=body, status=202, foreign=foreign)


@example("conversation_messages.start")
def _start(caller: User) -> Example:
    from tests.http import objects_contacts

    contact_id = objects_contacts.contact(caller)
    chat = conversation(caller)
    identity(chat, "Ada", contact_id)
    body = {"integration_id": chat.sender_id, "contact_id": contact_id, "text": "Good morning"}
    return Example(json=body, status=202, foreign=[{"json": body}])


def _written(caller: User, **values: Any) -> int:
    chat = conversation(caller)
    return said(chat, "Yes, it is.", direction="out", **values).id


@example("conversation_messages.versions", "conversation_messages.take_back")
def _message(caller: User) -> Example:
    return Example(path={"message_id": _written(caller)})


@example("conversation_messages.retry")
def _retry(caller: User) -> Example:
    chat = conversation(caller)
    failed = said(chat, "Yes, it is.", direction="out", state="failed", error="refused")
    with system_scope("a test's rows"):
        db.session.query(MessagePart).filter_by(message_id=failed.id).delete()
    return Example(path={"message_id": failed.id}, json={}, status=202)


@example("conversation_messages.edit")
def _edit(caller: User) -> Example:
    return Example(path={"message_id": _written(caller)}, json={"text": "Yes, it is still free."})


@example("labels.create")
def _create_label(caller: User) -> Example:
    return Example(json={"name": f"two-room {next(_made)}", "color": "teal"}, status=201)


@example("labels.show")
def _label(caller: User) -> Example:
    return Example(path={"label_id": label(caller)})


@example("labels.change")
def _change_label(caller: User) -> Example:
    return Example(path={"label_id": label(caller)}, json={"color": "green"})


@example("labels.remove")
def _remove_label(caller: User) -> Example:
    return Example(path={"label_id": label(caller)}, status=204)


@example("canned_replies.create")
def _create_canned(caller: User) -> Example:
    body = {"name": "Deposit", "text": "Hello {contact.first_name|there}, two rents it is.", "personal": True}
    foreign = [{"json": body | {"file_ids": [holdings.file(caller)]}}]
    return Example(json=body, status=201, foreign=foreign)


@example("canned_replies.show")
def _canned(caller: User) -> Example:
    return Example(path={"reply_id": canned_reply(caller)})


@example("canned_replies.render")
def _render(caller: User) -> Example:
    chat = conversation(caller)
    return Example(path={"reply_id": canned_reply(caller)}, query={"conversation_id": chat.id})


@example("canned_replies.change")
def _change_canned(caller: User) -> Example:
    return Example(path={"reply_id": canned_reply(caller)}, json={"text": "Two rents."})


@example("canned_replies.remove")
def _remove_canned(caller: User) -> Example:
    return Example(path={"reply_id": canned_reply(caller)}, status=204)


@example("assignment_rules.create")
def _create_rule(caller: User) -> Example:
    person = callers.member(holdings.home(caller), role="operator").id
    body = {"name": "Lettings", "user_ids": [person], "capacity": 10, "channel": "telegram_bot"}
    foreign = [{"json": body | {"label_id": label(caller)}}, {"json": body}]
    return Example(json=body, status=201, foreign=foreign)


@example("assignment_rules.show")
def _rule(caller: User) -> Example:
    return Example(path={"rule_id": rule(caller)})


@example("assignment_rules.change")
def _change_rule(caller: User) -> Example:
    return Example(path={"rule_id": rule(caller)}, json={"capacity": 5, "is_active": False})


@example("assignment_rules.remove")
def _remove_rule(caller: User) -> Example:
    return Example(path={"rule_id": rule(caller)}, status=204)


@example("inbox.change_settings")
def _settings(_caller: User) -> Example:
    hours = {"mon": [["09:00", "18:00"]]}
    return Example(json={"first_response_minutes": 15, "working_hours": hours, "timezone": "Asia/Seoul"})


@example("inbox.put_availability")
def _availability(_caller: User) -> Example:
    return Example(json={"is_available": True})


@example("inbox.find")
def _search(caller: User) -> Example:
    chat = conversation(caller)
    return Example(query={"q": "harbour", "conversation_id": chat.id})
