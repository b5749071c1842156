"""Telegram's own protocol over TCP, for people's accounts: what Telethon and other clients speak."""
