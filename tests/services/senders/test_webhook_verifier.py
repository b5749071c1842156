"""Who is let in at a webhook: the carrier of a secret, of either while one replaces another."""

from __future__ import annotations

import pytest

from backend.core.database import system_scope
from backend.models import Workspace
from backend.services import senders
from backend.services.senders.webhook_verifier import WebhookTarget
from tests.support import factories
from tests.support.bot_api import BotApi

HEADER = "X-Telegram-Bot-Api-Secret-Token"


@pytest.mark.parametrize(
    ("secret", "given", "expected"),
    [
        ("one", "one", True),
        ("two one", "one", True),
        ("two one", "two", True),
        ("two one", "two one", False),
        ("one", "other", False),
        ("", "", False),
        ("", "one", False),
        ("one", None, False),
    ],
)
def test_only_a_secret_in_force_opens(api: BotApi, secret: str, given: str | None, expected: bool) -> None:
    headers = {} if given is None else {HEADER: given}
    assert WebhookTarget(1, "telegram_bot", secret).verify(headers) is expected


def test_at_most_three_are_in_force_and_the_one_that_telegram_took_ends_the_others(home: Workspace) -> None:
    bot = factories.bot(home, secret="zero")
    made = [senders.new_webhook_secret(bot, keep=True) for _ in range(3)]
    assert senders.webhook_secrets_of(bot) == (made[2], made[1], made[0])
    with system_scope("a test"):
        senders.settle_webhook_secret(bot, made[1])
    assert len(senders.webhook_secrets_of(bot)) == 3, "another one came meanwhile"
    senders.settle_webhook_secret(bot, made[2])
    assert senders.webhook_secrets_of(bot) == (made[2],)
