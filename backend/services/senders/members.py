"""Who is in a chat of several people, as its provider tells."""

from __future__ import annotations

from backend.channels.errors import ChannelError, RecipientUnreachable, Rejected
from backend.channels.provider import Member
from backend.core.database import db
from backend.models import Sender
from backend.services.senders import provider
from backend.services.senders.credentials import credentials_of


def members_of(sender: Sender, chat_id: str) -> list[Member]:
    """The members of a chat that the provider names to this sender; some providers name the administrators only.

    Commits before the network call; raises one of the five channel errors, Rejected(`not_supported`) for a channel
    that has no such question, and Invalid for a sender without a token.
    """
    credentials, channel = credentials_of(sender), sender.channel
    db.session.commit()
    return provider.quick(channel).members(credentials, chat_id)


def is_chat_admin(sender: Sender, chat_id: str, person_id: str) -> bool | None:
    """Whether this person administers the group; None where the provider could not be asked, or does not tell.

    A network call of at most some seconds: no transaction may be open.
    """
    if not sender.credentials:
        return None
    credentials, asked = credentials_of(sender), provider.quick(sender.channel)
    try:
        return asked.member(credentials, chat_id, person_id).is_admin
    except (Rejected, RecipientUnreachable):
        # Not every provider tells of each member, and all name the administrators.
        pass
    except ChannelError:
        return None
    try:
        members = asked.members(credentials, chat_id)
    except ChannelError:
        return None
    return any(member.person.id == person_id and member.is_admin for member in members)
