"""The platforms people post to: how each is written, and its emoji."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "📱"

_PLATFORMS: Final = {
    "Instagram": "📸",
    "Twitter": "🐦",
    "X": "🐦",
    "Facebook": "📘",
    "TikTok": "🎵",
    "YouTube": "📺",
    "Threads": "🧵",
    "LinkedIn": "💼",
    "Pinterest": "📌",
    "Reddit": "👽",
    "Snapchat": "👻",
    "Telegram": "✈️",
    "WhatsApp": "💬",
    "Bluesky": "🦋",
    "Naver Blog": "📗",
    "KakaoTalk": "💛",
}
_BY_KEY: Final = {name.lower().replace(" ", ""): name for name in _PLATFORMS}


def display_name(name: str) -> str:
    """The platform's own spelling ("tiktok", "naver_blog"), or the name as given."""
    return _BY_KEY.get(name.lower().replace(" ", "").replace("_", "").replace("-", ""), name)


def emoji(name: str) -> str:
    """The platform's emoji, whatever the case; 📱 for one that is not known."""
    return _PLATFORMS.get(display_name(name), UNKNOWN)
