"""Setting up WhatsApp, Messenger and Instagram: the integrations of a workspace, their checks, templates and tokens."""

from backend.services.channel_setup.account_changes import account_changed

__all__ = ["account_changed"]
