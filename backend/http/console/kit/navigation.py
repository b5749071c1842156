"""The pages in the side bar and the palette, in one list. A page that does not exist is not named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: its key (also of its words, `console.nav.<key>`), its endpoint, its icon of the sprite, and the letter
    that follows `g`. `count` is the endpoint that says how many things wait there."""

    key: str
    endpoint: str
    icon: str
    letter: str
    role: str = "viewer"
    owner: bool = False
    count: str | None = None


GROUPS: Final[tuple[tuple[str | None, tuple[Entry, ...]], ...]] = (
    (
        None,
        (
            Entry("overview", "console_overview.overview", "layout-dashboard", "o"),
            Entry("inbox", "console_inbox.listing", "inbox", "i", count="console_inbox.count"),
        ),
    ),
    (
        "outreach",
        (
            Entry("contacts", "console_contacts.listing", "users", "c"),
            Entry("campaigns", "console_campaigns.listing", "megaphone", "m"),
        ),
    ),
    (
        "signals",
        (
            Entry("alerts", "console_alerts.listing", "siren", "a"),
            Entry("notifications", "console_notifications.log", "bell", "n"),
            Entry("telegram", "console_telegram.telegram", "send", "t"),
            Entry("scheduler", "console_scheduler.overview", "calendar-clock", "s"),
        ),
    ),
    (
        "connections",
        (
            Entry("bots", "console_bots.listing", "bot", "b"),
            Entry("channels", "console_channels.listing", "message-circle", "h"),
            Entry("accounts", "console_accounts.listing", "smartphone", "u"),
        ),
    ),
    ("manage", (Entry("outgoing_webhooks", "console_outgoing_webhooks.listing", "webhook", "w"),)),
)
"""Groups by their key (`console.group.<key>`), None for the first."""
