"""Webhook targets: what the verification of a webhook request needs of its sender, remembered for two seconds.

A request must be verified and stored within a millisecond or two, and a third of that was looking up a row that hardly
ever changes. A changed secret therefore holds in other processes after at most two seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from backend.channels import registry
from backend.channels.spec import ChannelSpec, Webhook
from backend.core import config
from backend.core.database import db, system_scope
from backend.models import Sender
from backend.services.senders.access import by_id
from backend.services.senders.environment import environment_sender
from backend.services.senders.recipients import OWN, Candidate, Recipients, recipients_of
from backend.services.senders.webhook import handshake_tokens_of, webhook_secrets_of

_SECONDS: Final = 2.0
_known: dict[tuple[str, int | None], tuple[float, int, WebhookTarget]] = {}


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The part of a sender that verifies webhook requests.

    Without a secret everything is refused; while one replaces another there are several, separated by a space.
    `candidates` are the senders that an item of its body may be for, where items name their recipients.
    """

    id: int
    channel: str
    secret: str = field(repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)

    @property
    def webhook(self) -> Webhook:
        """The webhook of its channel. Raises ValueError for a channel that has none."""
        webhook = registry.spec(self.channel).webhook
        if webhook is None:
            raise ValueError("a channel without a webhook")
        return webhook

    def verify(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers is genuine. Only for channels whose headers alone are the proof."""
        return self.webhook.verify(headers, b"", self.secret.split())

    def prove(self, headers: Mapping[str, str], body: bytes) -> Recipients | None:
        """The senders that the items of a genuine body may be for: those that its secret belongs to. None for a
        request that is not genuine."""
        verify = self.webhook.verify
        for secret in self.secret.split():
            if verify(headers, body, (secret,)):
                return recipients_of(self.id, self.candidates, (secret,)) if self.candidates else OWN
        return None

    def answer_handshake(self, query: Mapping[str, str]) -> str | None:
        """What a provider's handshake is answered with; None refuses it."""
        handshake = self.webhook.handshake
        return None if handshake is None else handshake(query, self.tokens)


def webhook_target_of(channel: str, sender_id: int | None = None) -> WebhookTarget | None:
    """The webhook target of a sender, by default of the environment's; None where there is no such sender.

    Commits what looking it up may have made (the environment's row): a refused request must not take it back.
    """
    remembered = remembered_target(channel, sender_id)
    if remembered is not None:
        return remembered
    settings = config.get()
    sender = environment_sender(channel) if sender_id is None else by_id(sender_id, channel=channel)
    db.session.commit()
    if sender is None:
        _known.pop((channel, sender_id), None)
        return None
    target = _target_of(registry.spec(channel), sender)
    _known[channel, sender_id] = (time.monotonic() + _SECONDS, id(settings), target)
    return target


def remembered_target(channel: str, sender_id: int | None = None) -> WebhookTarget | None:
    """The webhook target of a sender if it is remembered; asks no database."""
    entry = _known.get((channel, sender_id))
    if entry is not None and entry[0] > time.monotonic() and entry[1] == id(config.get()):
        return entry[2]
    return None


def is_target_known(channel: str, sender_id: int) -> bool:
    """Whether the sender's target was ever looked up in this process, also when it has to be looked up again."""
    return (channel, sender_id) in _known


def forget() -> None:
    """Looks everything up again: a secret has changed in this process."""
    _known.clear()


def _target_of(spec: ChannelSpec, sender: Sender) -> WebhookTarget:
    secrets = " ".join(webhook_secrets_of(sender))
    if spec.webhook is None or spec.webhook.header_only:
        return WebhookTarget(sender.id, sender.channel, secrets)
    target = WebhookTarget(sender.id, sender.channel, secrets, handshake_tokens_of(sender), _candidates(spec.name))
    db.session.rollback()
    return target


def recipients_for(sender: Sender) -> Recipients:
    """The senders that an item which came to this sender's address may be for, by any of its secrets. Reads in the
    caller's transaction."""
    return recipients_of(sender.id, _candidates(sender.channel), webhook_secrets_of(sender))


def _candidates(channel: str) -> tuple[Candidate, ...]:
    with system_scope("an item's owner is found among all senders that its secret belongs to"):
        rows = db.session.execute(
            select(Sender).where(Sender.channel == channel, Sender.deleted_at.is_(None)).order_by(Sender.id)
        ).scalars()
        return tuple(Candidate(row.id, row.external_id, frozenset(webhook_secrets_of(row))) for row in rows)
