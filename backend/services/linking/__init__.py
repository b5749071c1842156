"""Linking: which Telegram chat belongs to which person, proved by a token that came out of that chat.

One link per person and bot; one person per bot and chat in the whole instance.
"""

from backend.services.linking import subscribers as subscribers
from backend.services.linking.batch import links_of_chats
from backend.services.linking.bots import IS_DEFAULT_BOT, default_bot, default_bot_of
from backend.services.linking.confirmations import (
    Confirmation,
    Verified,
    accept_confirmation,
    find_confirmation,
    refuse_confirmation,
    verify,
)
from backend.services.linking.diagnostics import Check, diagnose
from backend.services.linking.invitations import Invitation, bot_for, invite
from backend.services.linking.links import (
    disable_chat,
    link_of,
    link_of_chat,
    links_of,
    owner_of,
    pause,
    refuse,
    restore_chat,
    resume,
    unlink,
    unlink_all_of,
)
from backend.services.linking.overview import DEFAULT_LINK, Status, default_status_of, status_of, unlink_account
from backend.services.linking.redemption import Redemption, redeem
from backend.services.linking.texts import linked_content, masked_account, send_reply
from backend.services.linking.tokens import LIFE, Issued, issue, looks_like_token

__all__ = [
    "DEFAULT_LINK",
    "IS_DEFAULT_BOT",
    "LIFE",
    "Check",
    "Confirmation",
    "Invitation",
    "Issued",
    "Redemption",
    "Status",
    "Verified",
    "accept_confirmation",
    "bot_for",
    "default_bot",
    "default_bot_of",
    "default_status_of",
    "diagnose",
    "disable_chat",
    "find_confirmation",
    "invite",
    "issue",
    "link_of",
    "link_of_chat",
    "linked_content",
    "links_of",
    "links_of_chats",
    "looks_like_token",
    "masked_account",
    "owner_of",
    "pause",
    "redeem",
    "refuse",
    "refuse_confirmation",
    "restore_chat",
    "resume",
    "send_reply",
    "status_of",
    "unlink",
    "unlink_account",
    "unlink_all_of",
    "verify",
]
