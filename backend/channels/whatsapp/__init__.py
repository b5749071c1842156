"""WhatsApp by Meta's Cloud API: numbers that write to people by the Graph API and hear of them by signed webhooks."""

from backend.channels.whatsapp.spec import SPEC

__all__ = ["SPEC"]
