"""Messenger and Instagram in the simulated Graph API: sends, files, thread control, and what people do."""

from simulator.graph.pages import events, files, sending

__all__ = ["events", "files", "sending"]
