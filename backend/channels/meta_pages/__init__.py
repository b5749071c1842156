"""Publishing on Facebook Pages and Instagram, through Meta's Graph API.

What can be repeated (uploads that nobody sees, Instagram's containers, questions) and the one call that publishes are
functions of their own, so that a caller can store what it begins before it does.
"""

from backend.channels.meta_pages import facebook, instagram
from backend.channels.meta_pages.client import GraphClient
from backend.channels.meta_pages.values import Account, Picture, Published, accounts, is_id

__all__ = ["Account", "GraphClient", "Picture", "Published", "accounts", "facebook", "instagram", "is_id"]
