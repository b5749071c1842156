"""Taking back the control of a chat from another application, which is a question to the provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.channels import registry
from backend.channels.base import Credentials
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.models import Sender
from backend.services import senders
from backend.services.auth.attribution import Attribution
from backend.services.inbox import handling


@dataclass(frozen=True, slots=True)
class ControlQuestion:
    """What the provider is asked: plain values, so that no transaction is needed while it answers."""

    provider: Any
    credentials: Credentials
    chat_id: str

    def ask(self) -> None:
        """Asks. Raises Conflict (`not_supported`, or the provider's reason)."""
        take = getattr(self.provider, "take_control", None)
        if take is None:
            raise Conflict("not_supported", "On this channel control cannot be taken.", detail={"what": "take_control"})
        take(self.credentials, self.chat_id)


def question(by: Attribution, conversation_id: int) -> ControlQuestion:
    """What is to be asked. Raises NotFound, Conflict (`already_in_charge`)."""
    conversation = handling.require_control_elsewhere(by, conversation_id)
    with system_scope("senders are kept apart by their owner, and the conversation is the caller's"):
        sender = db.session.get_one(Sender, conversation.sender_id)
    provider = registry.spec(conversation.channel).provider()
    return ControlQuestion(provider, senders.credentials_of(sender), conversation.chat_id)
