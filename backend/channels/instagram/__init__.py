"""Instagram: a professional account's conversations, by its page or by Instagram's own login."""

from backend.channels.instagram.spec import SPEC

__all__ = ["SPEC"]
