"""Plans: what the database reads for a claim and for its record, whatever a queue's statistics say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text, update

from backend.channels import registry
from backend.channels.capabilities import ReplyWindow
from backend.core import clock
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.models import Conversation, Delivery
from backend.services.delivery import gate
from backend.services.dispatch import claims as claiming
from backend.services.dispatch import outcomes
from backend.services.dispatch.claim_statement import claim_statement
from backend.services.dispatch.claim_watermarks import ClaimWatermarks
from tests.support import factories

CLAIM = claim_statement(gate.rules())
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def long_queue(home, bot):
    """20,000 operations that are due, and statistics that know it; the lease's epoch."""
    chat = factories.conversation(home, bot)
    row = {"workspace_id": home.id, "sender_id": bot.id, "conversation_id": chat.id, "operation": "send", "lane": 1}
    rows = [row | {"chat_key": number, "due_at": NOON + timedelta(microseconds=number)} for number in range(20_000)]
    db.session.execute(insert(Delivery), rows)
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE deliveries"))
    keeper = LeaseKeeper(db.engine)
    yield keeper.acquire([bot.id])[0].epoch
    keeper.release([bot.id])


def floored(bot):
    floors = ClaimWatermarks()
    floors.note([bot.id], [(bot.id, 1, (NOON + timedelta(microseconds=10), 11))], NOON + timedelta(days=1), 0.0)
    return floors


@pytest.mark.parametrize("floors_of", [lambda _bot: ClaimWatermarks(), floored])
def test_a_claim_reads_the_beginning_of_a_long_queue(everything, claims, bot, long_queue, floors_of):
    want = claiming.ClaimRequest(bot.id, long_queue, 25, floors=floors_of(bot).of(bot.id))
    plan = plan_of(claims, CLAIM, claiming.values_of([want], [], clock.now()))
    read = {node["Index Name"]: node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan) if reads_due(node)}
    assert read.keys() == {"ix_deliveries_due"}
    assert read["ix_deliveries_due"] <= 26


def test_a_claim_reads_as_little_of_a_channel_with_a_reply_window(everything, claims, bot, long_queue):
    spec = registry.spec("telegram_bot")
    windowed = replace(
        spec,
        reply_window=ReplyWindow({"message_24h": timedelta(hours=24)}),
        capabilities=replace(spec.capabilities, templates=True),
    )
    registry.put("telegram_bot", registry.get("telegram_bot"), windowed)
    db.session.execute(update(Conversation).values(last_inbound_at=clock.now()))
    db.session.commit()
    rules = gate.rules()
    assert [rule.name for rule in rules] == [rule.name for rule in gate.RULES]
    want = claiming.ClaimRequest(bot.id, long_queue, 25)
    plan = plan_of(claims, claim_statement(rules), claiming.values_of([want], [], clock.now()))
    read = {node["Index Name"]: node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan) if reads_due(node)}
    assert read.keys() == {"ix_deliveries_due"}
    assert read["ix_deliveries_due"] <= 26


def test_only_channels_that_have_a_window_are_asked_for_one():
    (rule,) = [rule for rule in gate.rules() if rule.name == "reply_window"]
    assert "last_inbound_at" in rule.code
    assert sorted(re.findall("WHEN '([a-z_]+)'", rule.code)) == [
        spec.name for spec in registry.specs() if spec.reply_window
    ]
    assert gate.rules() is gate.rules(), "statements are cached by the list"


def test_whether_a_chat_has_something_in_flight_is_asked_by_chat(everything, claims, bot, long_queue):
    want = claiming.ClaimRequest(bot.id, long_queue, 25)
    plan = plan_of(claims, CLAIM, claiming.values_of([want], [], clock.now()))
    (asked,) = [node for node in nodes(plan) if node.get("Index Name") == "ix_deliveries_sending"]
    assert "chat_key" in asked["Index Cond"]


def test_what_was_sent_is_found_by_its_id(everything, claims, bot, long_queue):
    want = claiming.ClaimRequest(bot.id, long_queue, 25)
    with claims.begin() as connection:
        claimed = connection.execute(CLAIM, claiming.values_of([want], [], clock.now())).all()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE deliveries"))
    values = {
        "ids": [row.id for row in claimed],
        "epochs": [row.epoch for row in claimed],
        "versions": [1] * len(claimed),
        "externals": ["x"] * len(claimed),
        "reporting": ["example"],
        "now": clock.now(),
        "fencing": True,
    }
    plan = plan_of(db.engine, outcomes.SENT, values, carry_out=False)
    names = {node.get("Index Name") for node in nodes(plan) if node.get("Relation Name") == "deliveries"}
    assert "pk_deliveries" in names
    assert not names & {"ix_deliveries_sending", "ix_deliveries_due"}


def test_nothing_is_compiled(claims):
    """Before PostgreSQL 18 a step that is switched off looks expensive enough for it."""
    for engine in (claims, db.engine):
        with engine.connect() as connection:
            assert connection.execute(text("SHOW jit")).scalar() == "off"


def reads_due(node):
    """Whether it reads due rows of the queue, and not one that is named or in flight."""
    named = node.get("Index Name") in ("pk_deliveries", "uq_deliveries_operation", "ix_deliveries_sending")
    return node.get("Relation Name") == "deliveries" and node["Node Type"] != "ModifyTable" and not named


def plan_of(engine, statement, values, *, carry_out=True):
    words = "EXPLAIN (ANALYZE, FORMAT JSON) " if carry_out else "EXPLAIN (FORMAT JSON) "
    explained = text(words + statement.text).bindparams(*statement._bindparams.values())
    with engine.connect() as connection:
        found = connection.execute(explained, values).scalar()
        connection.rollback()
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
