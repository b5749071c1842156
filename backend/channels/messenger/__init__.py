"""Messenger: a page's conversations, through Meta's Graph API."""

from backend.channels.messenger.spec import SPEC

__all__ = ["SPEC"]
