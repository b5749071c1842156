"""Live events: clients hear that something changed, and fetch what they show; nothing is missed on the way.

Tables that are `watch`ed are noted as they are stored; `note` is for everything else. The front (`backend.asgi`) reads
and hands the events to its connections.
"""

from backend.services.live.changes import Note, note, note_many
from backend.services.live.cleanup import purge
from backend.services.live.table_watch import watch

__all__ = ["Note", "note", "note_many", "purge", "watch"]
