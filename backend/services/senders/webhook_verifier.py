"""Webhook targets: what the verification of a webhook request needs of its sender, remembered for two seconds.

A request must be verified and stored within a millisecond or two, and a third of that was looking up a row that hardly
ever changes. A changed secret therefore holds in other processes after at most two seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from backend.channels import registry
from backend.core import config
from backend.core.database import db
from backend.models import Sender
from backend.services.senders.access import CHANNEL, by_id
from backend.services.senders.environment import default_bot
from backend.services.senders.webhook import webhook_secrets_of

_SECONDS: Final = 2.0
_known: dict[int | None, tuple[float, int, WebhookTarget]] = {}


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The part of a sender that verifies webhook requests.

    Without a secret everything is refused; while one replaces another there are several, separated by a space.
    """

    id: int
    channel: str
    secret: str = field(repr=False)

    def verify(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers is genuine. Only for channels whose secret stands in a header."""
        webhook = registry.spec(self.channel).webhook
        return webhook is not None and webhook.verify(headers, b"", self.secret.split())


def webhook_target_of(bot_id: int | None = None) -> WebhookTarget | None:
    """The webhook target of a bot, by default of the environment's; None where there is no such bot.

    Commits what looking it up may have made (the environment bot's row): a refused request must not take it back.
    """
    remembered = remembered_target(bot_id)
    if remembered is not None:
        return remembered
    settings = config.get()
    sender = default_bot() if bot_id is None else by_id(bot_id, channel=CHANNEL)
    db.session.commit()
    if sender is None:
        _known.pop(bot_id, None)
        return None
    return _remember(bot_id, sender, id(settings))


def remembered_target(bot_id: int | None = None) -> WebhookTarget | None:
    """The webhook target of a bot if it is remembered; asks no database."""
    entry = _known.get(bot_id)
    if entry is not None and entry[0] > time.monotonic() and entry[1] == id(config.get()):
        return entry[2]
    return None


def is_target_known(bot_id: int) -> bool:
    """Whether the bot's target was ever looked up in this process, also when it has to be looked up again."""
    return bot_id in _known


def forget() -> None:
    """Looks everything up anew: a secret has changed in this process."""
    _known.clear()


def _remember(bot_id: int | None, sender: Sender, settings: int) -> WebhookTarget:
    target = WebhookTarget(sender.id, sender.channel, " ".join(webhook_secrets_of(sender)))
    _known[bot_id] = (time.monotonic() + _SECONDS, settings, target)
    return target
