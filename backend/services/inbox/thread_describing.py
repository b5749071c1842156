"""Messages of a thread as the API shows them, by a constant number of statements for any number of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import select

from backend.channels import richtext
from backend.core.database import db
from backend.models import (
    Contact,
    Conversation,
    Identity,
    Message,
    MessageFile,
    MessagePart,
    MessageReaction,
    StoredFile,
)
from backend.services import delivery
from backend.services.inbox import describing, kinds, texts, thread

US: Final = "us"
_QUOTE: Final = 200
"""Characters of a message that is answered."""
_STYLES: Final = {
    "b": "bold",
    "i": "italic",
    "u": "underline",
    "s": "strike",
    "code": "code",
    "pre": "pre",
    "a": "link",
}


def describe(conversation: Conversation, messages: Sequence[Message], locale: str) -> list[dict[str, Any]]:
    """These messages of the conversation, in their order; words for people in `locale`. Eight statements."""
    if not messages:
        return []
    ids = [message.id for message in messages]
    outbound = [message for message in messages if message.direction == "out"]
    statuses = dict(zip((message.id for message in outbound), delivery.statuses_of(outbound), strict=True))
    files = _files(messages)
    reactions = _reactions(ids)
    answered = _answered(conversation, [message.reply_to for message in messages if message.reply_to])
    earlier = thread.counted_versions(ids)
    authors = describing.names_of([it.author_user_id for it in messages if it.author_user_id is not None])
    people = _people(conversation, messages)
    return [
        _own(message)
        | {
            "author": _author(message, conversation, authors, people),
            "files": files.get(message.id, []),
            "kind": kinds.kind_of(message, next((file["kind"] for file in files.get(message.id, [])), None)),
            "reactions": reactions.get(message.id, []),
            "reply_to": _reply_to(message, answered),
            "versions": 1 + earlier.get(message.id, 0),
            **_state(message, statuses.get(message.id), locale),
        }
        for message in messages
    ]


def entities_of(part: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """A part's plain text, and the spans of its formatting in UTF-16 units."""
    text = str(part.get("text") or "")
    if part.get("format") != "html":
        return text, []
    runs, matches, offset = richtext.read(text), list[dict[str, Any]](), 0
    for run in runs:
        length = richtext.utf16_length(run.text)
        for style in run.styles:
            kind, url = _STYLES[style.name], style.href
            last = next((it for it in reversed(matches) if it["type"] == kind and it["url"] == url), None)
            if last is not None and last["offset"] + last["length"] == offset:
                last["length"] += length
            else:
                matches.append({"type": kind, "offset": offset, "length": length, "url": url})
        offset += length
    return richtext.visible(runs), matches


def _own(message: Message) -> dict[str, Any]:
    """What its own row says. Of what was taken back only that it was."""
    gone = message.deleted_at is not None
    text, entities = ("", []) if gone else _text(message)
    body = message.body or {}
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "external_id": message.external_id,
        "direction": message.direction,
        "via": kinds.via_of(message),
        "text": text,
        "entities": entities,
        "content": None if gone else message.content,
        "template": None if gone else next((it["template"] for it in texts.parts_of(body) if it.get("template")), None),
        "forwarded": bool(body.get("forwarded")),
        "thread_id": body.get("thread_id"),
        "at": message.happened_at or message.created_at,
        "created_at": message.created_at,
        "sent_at": message.sent_at,
        "delivered_at": message.delivered_at,
        "read_at": message.read_at,
        "played_at": message.played_at,
        "edited_at": message.edited_at,
        "deleted_at": message.deleted_at,
        "price": message.price,
    }


def _text(message: Message) -> tuple[str, list[dict[str, Any]]]:
    """All parts of a message as one text."""
    text, entities = "", list[dict[str, Any]]()
    for part in texts.parts_of(message.body):
        words, spans = entities_of(part)
        if not words:
            continue
        text += "\n" if text else ""
        offset = richtext.utf16_length(text)
        entities += [span | {"offset": span["offset"] + offset} for span in spans]
        text += words
    return text, entities


def _state(message: Message, status: delivery.MessageStatus | None, locale: str) -> dict[str, Any]:
    if status is None:
        return {
            "state": message.state,
            "reason": None,
            "reason_text": None,
            "next_attempt_at": None,
            "error": None,
            "error_detail": None,
        }
    return {
        "state": status.state,
        "reason": status.reason,
        "reason_text": delivery.explain(status, locale),
        "next_attempt_at": status.next_attempt_at,
        "error": status.error,
        "error_detail": message.error_detail,
    }


def _author(
    message: Message,
    conversation: Conversation,
    authors: dict[int, str],
    people: dict[int, tuple[Identity, Contact | None]],
) -> dict[str, Any]:
    if message.direction == "out":
        name = authors.get(message.author_user_id or 0)
        return {"identity_id": None, "contact_id": None, "user_id": message.author_user_id, "name": name}
    identity_id = _identity_id(message, conversation)
    identity, contact = people.get(identity_id or 0, (None, None))
    name = describing.contact_name(contact) or (identity.display_name if identity else None) or conversation.title
    contact_id = contact.id if contact is not None else None
    return {"identity_id": identity_id, "contact_id": contact_id, "user_id": None, "name": name}


def _identity_id(message: Message, conversation: Conversation) -> int | None:
    named = (message.body or {}).get("identity_id")
    return named if isinstance(named, int) else conversation.identity_id


def _people(conversation: Conversation, messages: Iterable[Message]) -> dict[int, tuple[Identity, Contact | None]]:
    ids = {_identity_id(message, conversation) for message in messages if message.direction == "in"} - {None}
    query = select(Identity, Contact).outerjoin(Contact, Contact.id == Identity.contact_id).where(Identity.id.in_(ids))
    return {row[0].id: (row[0], row[1]) for row in db.session.execute(query)}


def _files(messages: Sequence[Message]) -> dict[int, list[dict[str, Any]]]:
    """The files of these messages: those that came, and those that were sent."""
    kept = [message for message in messages if message.deleted_at is None]
    query = (
        select(MessageFile)
        .where(MessageFile.message_id.in_([message.id for message in kept]))
        .order_by(MessageFile.message_id, MessageFile.position)
    )
    matches: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in db.session.scalars(query):
        matches[row.message_id].append(_received(row))
    sent = {
        message.id: [media for part in texts.parts_of(message.body) for media in part.get("media", ())]
        for message in kept
        if message.direction == "out" and message.id not in matches
    }
    keys = {media["storage_key"] for of_one in sent.values() for media in of_one if media.get("storage_key")}
    by_key = {row.key: row for row in db.session.scalars(select(StoredFile).where(StoredFile.key.in_(keys)))}
    for message_id, of_one in sent.items():
        if of_one:
            matches[message_id] = [_sent(media, by_key.get(media.get("storage_key"))) for media in of_one]
    return dict(matches)


def _received(row: MessageFile) -> dict[str, Any]:
    return {
        "id": row.id,
        "file_id": row.file_id,
        "kind": row.kind,
        "filename": row.filename,
        "mime": row.mime,
        "size": row.size,
        "width": row.width,
        "height": row.height,
        "duration": row.duration,
        "url": f"/api/files/{row.file_id}" if row.file_id is not None else None,
        "state": row.state,
        "reason": row.reason,
    }


def _sent(media: dict[str, Any], stored: StoredFile | None) -> dict[str, Any]:
    file_id = stored.id if stored is not None else None
    return {
        "id": None,
        "file_id": file_id,
        "kind": media.get("kind", "document"),
        "filename": media.get("filename"),
        "mime": media.get("mime"),
        "size": media.get("size"),
        "width": None,
        "height": None,
        "duration": None,
        "url": f"/api/files/{file_id}" if file_id is not None else None,
        "state": "stored" if stored is not None else "unavailable",
        "reason": None,
    }


def _reactions(message_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    query = (
        select(MessageReaction)
        .where(MessageReaction.message_id.in_(message_ids), MessageReaction.reaction.is_not(None))
        .order_by(MessageReaction.message_id, MessageReaction.at)
    )
    matches: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in db.session.scalars(query):
        known = matches[row.message_id].setdefault(
            str(row.reaction), {"reaction": row.reaction, "count": 0, "mine": False}
        )
        known["count"] += 1
        known["mine"] = known["mine"] or row.author == US
    return {message_id: list(by_reaction.values()) for message_id, by_reaction in matches.items()}


def _answered(conversation: Conversation, external_ids: Sequence[str]) -> dict[str, Message]:
    """The messages of the conversation that the provider knows by these ids."""
    query = (
        select(MessagePart.external_id, Message)
        .join(Message, Message.id == MessagePart.message_id)
        .where(
            MessagePart.sender_id == conversation.sender_id,
            MessagePart.chat_key == conversation.chat_key,
            MessagePart.external_id.in_(set(external_ids)),
            Message.conversation_id == conversation.id,
        )
    )
    return {row.external_id: row[1] for row in db.session.execute(query)}


def _reply_to(message: Message, answered: dict[str, Message]) -> dict[str, Any] | None:
    if not message.reply_to:
        return None
    known = answered.get(message.reply_to)
    quote = None if known is None or known.deleted_at is not None else " ".join(texts.text_of(known).split())[:_QUOTE]
    return {"message_id": known.id if known is not None else None, "external_id": message.reply_to, "quote": quote}
