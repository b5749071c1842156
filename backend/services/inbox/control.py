"""Taking back the control of a chat from another application, which is a question to the provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.channels.base import Credentials
from backend.channels.errors import ChannelError, Rejected
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Unavailable
from backend.models import Sender
from backend.services import delivery, senders
from backend.services.auth.attribution import Attribution
from backend.services.inbox import handling
from backend.services.senders import provider


@dataclass(frozen=True, slots=True)
class ControlQuestion:
    """What the provider is asked: plain values, so that no transaction is needed while it answers."""

    channel: str
    credentials: Credentials
    chat_id: str = field(repr=False)

    def ask(self) -> bool:
        """Asks, and is True. A channel without such a question lets us answer as soon as we do. Raises Conflict (the
        provider's reason), Unavailable."""
        take = getattr(provider.quick(self.channel), "take_control", None)
        if take is None:
            return True
        try:
            take(self.credentials, self.chat_id)
        except Rejected as refusal:
            if refusal.code == "not_supported":
                return True
            words = delivery.explain_code(refusal.code, "en", waits=False)
            raise Conflict(refusal.code, words or "The provider refuses.") from None
        except ChannelError as error:
            raise Unavailable(error.code, "The provider could not be asked just now.", retry_after=5) from None
        return True


def question(by: Attribution, conversation_id: int) -> ControlQuestion:
    """What is to be asked. Raises NotFound, Conflict (`already_in_charge`)."""
    conversation = handling.require_control_elsewhere(by, conversation_id)
    with system_scope("senders are kept apart by their owner, and the conversation is the caller's"):
        sender = db.session.get_one(Sender, conversation.sender_id)
    return ControlQuestion(conversation.channel, senders.credentials_of(sender), conversation.chat_id)
