"""E-mail, for what cannot go another way: password resets, and alerts when a bot itself is the trouble.

A mail is stored in the caller's transaction and sent by a job; nobody waits for a mail server. Without SMTP_URL there
is no mail: `is_configured` says so, and `send` stores nothing.
"""

from backend.services.mail.outbox import is_configured, notify_admins, send, to_admins
from backend.services.mail.sending import drain, waiting

__all__ = ["drain", "is_configured", "notify_admins", "send", "to_admins", "waiting"]
