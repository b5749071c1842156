"""Accounts: connecting one's own Telegram account, what Telegram thinks of it, who uses it, and its end."""
