"""My Telegram."""
