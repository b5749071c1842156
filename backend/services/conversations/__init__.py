"""Conversations: which chat of which sender is meant, who is on the other side, and what they wrote.

Provider ids of people and chats are stored encrypted and found by keyed hashes that are the same in every workspace.
"""

from backend.services.conversations import subscribers as subscribers
from backend.services.conversations.chats import by_chat, find, find_or_create, of_chat
from backend.services.conversations.hashing import chat_hash, chat_key, family_of, identity_hash
from backend.services.conversations.history import message_at, record_inbound
from backend.services.conversations.identities import identity_of
from backend.services.conversations.migration import rekey

__all__ = [
    "by_chat",
    "chat_hash",
    "chat_key",
    "family_of",
    "find",
    "find_or_create",
    "identity_hash",
    "identity_of",
    "message_at",
    "of_chat",
    "record_inbound",
    "rekey",
]
