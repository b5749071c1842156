"""What follows for conversations from an outcome of the outbox."""

from __future__ import annotations

from backend.core import events
from backend.services.conversations.migration import rekey

events.subscribe("chat_moved", rekey)
