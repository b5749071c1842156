"""The bots that people link with: found by what people call them, and named in addresses."""

from __future__ import annotations

import pytest

from backend.core.errors import NotFound, Unavailable
from backend.models import Sender, Workspace
from backend.services.linking import bots
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import commit


def test_an_unknown_name_is_unavailable_while_telegram_is_away(sender: Sender) -> None:
    sender.username = None
    commit()
    with pytest.raises(Unavailable) as caught:
        bots.username_of(sender)
    assert (caught.value.code, caught.value.retry_after) == ("bot_unavailable", 5)


def test_a_refused_bot_is_unavailable_though_its_name_is_known(sender: Sender, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    with pytest.raises(Unavailable):
        bots.username_of(sender)
    with pytest.raises(Unavailable):
        bots.username_of(sender)
    assert len(api.called("getMe")) == 1


def test_bots_are_found_by_id_name_and_username_within_their_workspace(home: Workspace, sender: Sender) -> None:
    bot = factories.bot(home, name="Deploy", username="Deploy_bot")
    foreign = factories.bot(factories.workspace(), name="foreign")
    for reference in (str(bot.id), "deploy", "DEPLOY", "@deploy_bot", " deploy "):
        assert bots.named(home.id, reference).id == bot.id
    for reference in ("default", "example_bot", str(sender.id)):
        assert bots.named(foreign.workspace_id or 0, reference).id == sender.id
    for reference in ("foreign", str(foreign.id), "", "9" * 40, "٣"):
        with pytest.raises(NotFound):
            bots.named(home.id, reference)
