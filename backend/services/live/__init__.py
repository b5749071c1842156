"""Live events: clients hear that something changed, and fetch what they show; nothing is missed on the way.

`note` is what every feature calls. The front (`backend.front`) reads and hands them to its connections.
"""

from backend.services.live.noting import Note, note, note_many

__all__ = ["Note", "note", "note_many"]
