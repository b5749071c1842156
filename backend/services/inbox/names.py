"""Finding people and conversations by a part of a name: by the neighbouring letters, which have an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, null, or_

from backend.models import Contact, Conversation
from backend.services import text_search


def conversation_is_called(text: str) -> ColumnElement[bool]:
    """Whether a conversation's title holds each of these words."""
    pairs = func.name_pairs(Conversation.title, null(), null())
    return and_(Conversation.in_inbox, *(_holds(pairs, word, Conversation.title) for word in _words(text)))


def contact_is_called(text: str) -> ColumnElement[bool]:
    """Whether a contact's name or company holds each of these words; both names may be written as one."""
    pairs = func.name_pairs(Contact.first_name, Contact.last_name, Contact.company)
    fields = (
        Contact.first_name,
        Contact.last_name,
        Contact.company,
        func.concat(Contact.last_name, Contact.first_name),
    )
    return and_(*(_holds(pairs, word, *fields) for word in _words(text)))


def _holds(pairs: Any, word: str, *fields: Any) -> ColumnElement[bool]:
    like = text_search.holding(word)
    in_fields = or_(*(field.ilike(like, escape="\\") for field in fields))
    if len(word) < 2:
        return in_fields
    return and_(pairs.bool_op("@>")(func.name_pairs(word, null(), null())), in_fields)


def _words(text: str) -> list[str]:
    words = text.split()[:10]
    # A letter by itself has no pair: it only narrows what the longer words find.
    return [word for word in words if len(word) > 1] or words
