"""The table of cases: which level serves a name, and with which chats."""

from __future__ import annotations

import pytest

from backend.core.config import BotConfig
from backend.core.errors import AppError, Conflict, Invalid, NotFound
from backend.services.bots import source_order
from backend.services.bots.source_order import Asked, Choice, Environment, KnownBot, choose

T1 = "111:FAKE-TOKEN-one"
T2 = "222:FAKE-TOKEN-two"
T3 = "333:FAKE-TOKEN-three"

DEPLOY = KnownBot(7, "Deploy", ("-100200", "@ops"), None)
TOPIC = KnownBot(8, "topic", ("-100300",), "42")
OFF = KnownBot(9, "off", ("1",), None, is_active=False)
EMPTY = KnownBot(10, "empty")
BOTS = (DEPLOY, TOPIC, OFF, EMPTY)

CONFIGS = (
    BotConfig(name="deploy", token=T2, chat_ids="5"),
    BotConfig(name="Night", token=T2, chat_ids="6, 7"),
    BotConfig(name="off", token=T2, chat_ids="8"),
    BotConfig(name="chatless", token=T2),
)
FULL = Environment(CONFIGS, T3, ("3",))
NO_CHATS = Environment(CONFIGS, T3)
ONLY_CONFIGS = Environment(CONFIGS)


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        # What the caller gave comes first, whatever else there is.
        (Asked("deploy", 7, T1, ("1",)), FULL, Choice("arguments", ("1",), token=T1)),
        (Asked(token=f" {T1}\n", chat_ids=("1", " 1 ", "@Ops")), FULL, Choice("arguments", ("1", "@ops"), token=T1)),
        # The database: by id, by name in any case.
        (Asked(bot_id=7), FULL, Choice("database", ("-100200", "@ops"), bot_id=7)),
        (Asked("  DEPLOY "), FULL, Choice("database", ("-100200", "@ops"), bot_id=7)),
        (Asked("topic"), FULL, Choice("database", ("-100300",), bot_id=8, thread_id="42")),
        # Explicit chats go with the bot's token; its topic is one of its own chat and does not.
        (Asked("topic", chat_ids=("9",)), FULL, Choice("database", ("9",), bot_id=8)),
        (Asked("empty", chat_ids=("9",)), FULL, Choice("database", ("9",), bot_id=10)),
        # An id is more exact than a name.
        (Asked("night", bot_id=7), FULL, Choice("database", ("-100200", "@ops"), bot_id=7)),
        # The environment's list.
        (Asked("night"), FULL, Choice("configs", ("6", "7"), token=T2)),
        (Asked("NIGHT", chat_ids=("9",)), ONLY_CONFIGS, Choice("configs", ("9",), token=T2)),
        (Asked("chatless", chat_ids=("9",)), FULL, Choice("configs", ("9",), token=T2)),
        # A bot that is switched off lets the entry of its own name take over.
        (Asked("off"), FULL, Choice("configs", ("8",), token=T2)),
        # The environment's own bot: no name, its name, or any name where it has chats.
        (Asked(), FULL, Choice("environment", ("3",), token=T3)),
        (Asked("  "), FULL, Choice("environment", ("3",), token=T3)),
        (Asked("Default"), FULL, Choice("environment", ("3",), token=T3)),
        (Asked("anything"), FULL, Choice("environment", ("3",), token=T3)),
        (Asked("anything", chat_ids=("9",)), FULL, Choice("environment", ("9",), token=T3)),
        (Asked(chat_ids=("9",)), NO_CHATS, Choice("environment", ("9",), token=T3)),
        (Asked("default", chat_ids=("9",)), NO_CHATS, Choice("environment", ("9",), token=T3)),
    ],
)
def test_the_first_level_that_can_serve_is_chosen(asked: Asked, environment: Environment, expected: Choice) -> None:
    assert choose(asked, BOTS, environment) == expected


@pytest.mark.parametrize(
    ("asked", "environment", "error", "code"),
    [
        # A token without chats never borrows those of another level.
        (Asked("deploy", token=T1), FULL, Invalid, "no_chats"),
        (Asked("empty"), FULL, Invalid, "no_chats"),
        (Asked("chatless"), FULL, Invalid, "no_chats"),
        (Asked(), NO_CHATS, Invalid, "no_chats"),
        (Asked("default"), NO_CHATS, Invalid, "no_chats"),
        (Asked(token="not a token", chat_ids=("1",)), FULL, Invalid, "bad_token"),
        (Asked(token="", chat_ids=("1",)), FULL, Invalid, "bad_token"),
        (Asked("deploy", chat_ids=("1", "somebody")), FULL, Invalid, "bad_chat_id"),
        (Asked("deploy", chat_ids=("1.5",)), FULL, Invalid, "bad_chat_id"),
        (Asked("deploy", chat_ids=("٣",)), FULL, Invalid, "bad_chat_id"),
        (Asked("deploy", chat_ids=("1" * 19,)), FULL, Invalid, "bad_chat_id"),
        (Asked("deploy", chat_ids=("",)), FULL, Invalid, "bad_chat_id"),
        (Asked("deploy", chat_ids=tuple(str(n) for n in range(1, 102))), FULL, Invalid, "bad_chat_id"),
        # An id never falls through.
        (Asked(bot_id=99), FULL, NotFound, "bot_not_found"),
        (Asked(bot_id=9), FULL, Conflict, "bot_inactive"),
        # Somebody switched it off: it is not said by the environment's own bot instead.
        (Asked("off"), Environment((), T3, ("3",)), Conflict, "bot_inactive"),
        # Without chats the environment's own bot serves no other name: a wrong name is found out.
        (Asked("nobody"), NO_CHATS, NotFound, "bot_not_found"),
        (Asked("nobody", chat_ids=("1",)), NO_CHATS, NotFound, "bot_not_found"),
        (Asked("nobody"), ONLY_CONFIGS, NotFound, "bot_not_found"),
        (Asked("night"), source_order.NOTHING, NotFound, "bot_not_found"),
        (Asked(), source_order.NOTHING, NotFound, "bot_not_found"),
    ],
)
def test_what_cannot_be_served_is_refused(
    asked: Asked, environment: Environment, error: type[AppError], code: str
) -> None:
    with pytest.raises(error) as raised:
        choose(asked, BOTS, environment)
    assert raised.value.code == code


def test_a_refusal_repeats_neither_token_nor_chat() -> None:
    for asked in (Asked(token="secret token", chat_ids=("1",)), Asked("deploy", chat_ids=("+82 10 1234",))):
        with pytest.raises(Invalid) as raised:
            choose(asked, BOTS, FULL)
        shown = f"{raised.value} {raised.value.detail}"
        assert "secret token" not in shown
        assert "+82" not in shown


def test_no_token_is_shown_by_what_was_asked_and_chosen() -> None:
    asked = Asked(token=T1, chat_ids=("1",))
    assert T1 not in f"{asked!r} {choose(asked)!r} {FULL!r}"


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("DEPLOY", source_order.NOTHING, True),
        ("night", FULL, True),
        ("off", source_order.NOTHING, False),
        ("empty", source_order.NOTHING, False),
        ("chatless", FULL, False),
        ("anything", FULL, False),
    ],
)
def test_a_name_is_known_where_a_working_bot_has_it(name: str, environment: Environment, expected: bool) -> None:
    assert source_order.knows(name, BOTS, environment) is expected
