"""A bot's chats that cannot be written to are asked about, closed for certain, and opened again."""

from __future__ import annotations

import pytest

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Sender, Workspace
from backend.services import conversations, delivery
from backend.services.bots import chat_states, health, overview, serializers
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import commit

GROUP, SUPER = "-2001", "-1002222222222"
KICKED = Refusal(403, "Forbidden: bot was kicked from the supergroup chat")


@pytest.fixture
def team(home: Workspace) -> Sender:
    """A bot with a group and a supergroup that it has written to."""
    bot = factories.bot(home, name="alerts")
    with system_scope("a test"):
        bot.chat_ids = (GROUP, SUPER)
        for chat_id in (GROUP, SUPER):
            factories.conversation(home, bot, chat_id, kind="supergroup")
        commit()
    return bot


def hashed(bot: Sender, chat_id: str) -> bytes:
    return conversations.chat_hash(bot.channel, bot.id, chat_id)


def states(bot: Sender) -> list[tuple[str, str | None]]:
    with system_scope("a test"):
        return [(one.state, one.code) for one in chat_states.of([bot])[bot.id]]


def mark(bot: Sender, chat_id: str, code: str, *, closed: bool = False) -> None:
    with system_scope("a test"):
        if closed:
            delivery.block(bot.id, hashed(bot, chat_id), code)
        else:
            delivery.mark_unreachable(bot.id, hashed(bot, chat_id), code)
    commit()


def test_nothing_is_asked_about_chats_that_work(team: Sender, api: BotApi) -> None:
    assert chat_states.look_again(team) == 0
    assert api.called("getChat") == []
    assert states(team) == [("ok", None), ("ok", None)]


def test_a_supergroup_that_the_bot_was_kicked_from_is_closed_once_it_is_certain(team: Sender, api: BotApi) -> None:
    mark(team, SUPER, "kicked")
    assert states(team) == [("ok", None), ("unreachable", "kicked")]
    api.answers["getChat"] = KICKED
    assert chat_states.look_again(team) == 1
    assert states(team) == [("ok", None), ("closed", "kicked")]


def test_one_restricted_topic_closes_no_supergroup(team: Sender, api: BotApi) -> None:
    mark(team, SUPER, "kicked")
    assert chat_states.look_again(team) == 1
    assert states(team)[1] == ("unreachable", "kicked")


@pytest.mark.parametrize("code", ["kicked", "left", "not_a_member", "chat_not_found"])
def test_a_bot_that_is_let_in_again_writes_again_also_without_updates(team: Sender, api: BotApi, code: str) -> None:
    mark(team, GROUP, code, closed=True)
    assert chat_states.look_again(team) == 1
    assert states(team)[0] == ("ok", None)


@pytest.mark.parametrize("code", ["blocked", "deactivated", "chat_deleted"])
def test_what_a_person_decided_is_not_asked_about(team: Sender, api: BotApi, code: str) -> None:
    mark(team, GROUP, code, closed=True)
    assert chat_states.look_again(team) == 0
    assert states(team)[0] == ("closed", code)


@pytest.mark.parametrize("answer", [Refusal(502, "Bad Gateway"), Refusal(429, "Too Many Requests: retry after 3")])
def test_no_answer_changes_nothing(team: Sender, api: BotApi, answer: Refusal) -> None:
    mark(team, GROUP, "kicked", closed=True)
    mark(team, SUPER, "kicked")
    api.answers["getChat"] = answer
    chat_states.look_again(team)
    assert states(team) == [("closed", "kicked"), ("unreachable", "kicked")]


def test_the_health_check_looks_and_lists_show_it(team: Sender, api: BotApi) -> None:
    mark(team, SUPER, "kicked")
    api.answers["getChat"] = KICKED
    health.check_health()
    assert states(team)[1] == ("closed", "kicked")
    with system_scope("a test"):
        assert [one.unreachable_chats for one in overview.bots() if one.id == team.id] == [1]


def test_bots_without_chats_have_none_that_could_be_closed(home: Workspace, team: Sender, api: BotApi) -> None:
    others = [factories.bot(home, name=f"b{number}") for number in range(3)]
    with system_scope("a test"):
        found = chat_states.of([team, *others])
        assert {bot.id: len(found[bot.id]) for bot in others} == {bot.id: 0 for bot in others}
        assert len(serializers.shown([team, *others])) == 4


def test_a_chat_that_only_a_caller_named_opens_again_as_well(team: Sender, home: Workspace, api: BotApi) -> None:
    with system_scope("a test"):
        named = factories.conversation(home, team, "-2009", kind="group")
    mark(team, "-2009", "kicked", closed=True)
    assert chat_states.look_again(team) == 1
    with system_scope("a test"):
        db.session.refresh(named)
        assert named.blocked_code is None


def test_a_person_is_not_asked_about(team: Sender, home: Workspace, api: BotApi) -> None:
    with system_scope("a test"):
        factories.conversation(home, team, "5001")
    mark(team, "5001", "chat_not_found", closed=True)
    assert chat_states.look_again(team) == 0


def test_many_chats_that_stay_closed_do_not_keep_the_others_from_being_asked(
    team: Sender, home: Workspace, api: BotApi
) -> None:
    chats = [f"-30{number:02}" for number in range(12)]
    with system_scope("a test"):
        for chat_id in chats:
            factories.conversation(home, team, chat_id, kind="group")
        team.chat_ids = tuple(chats)
    for chat_id in chats:
        mark(team, chat_id, "kicked", closed=True)
    api.answers["getChat"] = KICKED
    for _ in range(12):
        assert chat_states.look_again(team) == chat_states.MAX_ASKED
        clock.move(300)
    assert {str(params["chat_id"]) for params in api.called("getChat")} == set(chats)
