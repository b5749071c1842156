"""Who administers a group, as its provider tells."""

from __future__ import annotations

from backend.channels.errors import ChannelError, RecipientUnreachable, Rejected
from backend.models import Sender
from backend.services.senders import provider


def is_chat_admin(sender: Sender, chat_id: str, person_id: str) -> bool | None:
    """Whether this person administers the group; None where Telegram could not be asked.

    A network call of at most some seconds: no transaction may be open.
    """
    token = sender.credentials
    if not token:
        return None
    asking = provider.quick()
    try:
        return asking.get_chat_member(token, chat_id, person_id).is_admin
    except (Rejected, RecipientUnreachable):
        # Bot API, getChatMember: works for others for certain only where the bot itself is an administrator.
        pass
    except ChannelError:
        return None
    try:
        members = asking.get_chat_administrators(token, chat_id)
    except ChannelError:
        return None
    return any(member.person.id == person_id and member.is_admin for member in members)
