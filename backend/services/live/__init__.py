"""Live events: clients hear that something changed, and fetch what they show; nothing is missed on the way.

Tables that are `watch`ed are noted as they are stored; `note` is for everything else. The front (`backend.front`) reads
and hands the events to its connections.
"""

from backend.services.live.noting import Note, note, note_many
from backend.services.live.purging import purge
from backend.services.live.watching import watch

__all__ = ["Note", "note", "note_many", "purge", "watch"]
