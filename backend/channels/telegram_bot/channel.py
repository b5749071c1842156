"""The channel `telegram_bot`: bots by Telegram's Bot API."""

from __future__ import annotations

from backend.channels.base import Content, Credentials, Limits, Operation, Receipt, SenderFacts
from backend.channels.errors import RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.channels.forms import AS_MEANT, Form
from backend.channels.telegram_bot import formatting, ladder, limits, operations, reading
from backend.channels.telegram_bot.administration import Administration
from backend.channels.telegram_bot.client import BotClient


class TelegramBot:
    """See `backend.channels.base.Channel`; `administration` has what is not about messages."""

    name = "telegram_bot"

    def __init__(self, client: BotClient | None = None) -> None:
        self.client = client or BotClient()
        self.administration = Administration(self.client)

    @property
    def limits(self) -> Limits:
        """Telegram's published rates."""
        return limits.LIMITS

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Carry out one operation by one request. Editing into the same, answering a callback too late and deleting
        what is gone are successes that say so in the receipt's facts."""
        request = operations.request_of(op)
        try:
            result = self.client.call(
                credentials.token, request.method, request.params, request.uploads, deadline=deadline
            )
        except SenderDisabled as refusal:
            raise self.administration.confirmed(credentials.token, refusal) from None
        except Rejected as refusal:
            if (settled := _settled(op, refusal.code)) is not None:
                return settled
            raise
        except RetryLater as moved:
            if moved.moved_to is not None and not reading.is_group_id(op.chat_id or ""):
                # Only a group becomes another chat; of a person's it would be somebody else's.
                raise RecipientUnreachable("chat_migrated", disables_link=False) from None
            raise
        return operations.receipt_of(op, result)

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """The contents that are one operation each."""
        return formatting.split(content, form, first=first)

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """The next milder form of what was refused."""
        return ladder.milder(op, refusal)

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The bot's own account (getMe)."""
        return self.administration.get_me(credentials.token)


def _settled(op: Operation, code: str) -> Receipt | None:
    """The receipt where a refusal says that what was wanted is already so."""
    match (op.kind, code):
        case ("edit" | "edit_buttons", "not_modified"):
            return Receipt((op.external_id,) if op.external_id else (), facts={"unchanged": True})
        case ("answer_callback", "callback_too_old"):
            return Receipt(facts={"too_late": True})
        case ("delete", "message_gone"):
            return Receipt(facts={"already_gone": True})
    return None
