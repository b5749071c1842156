"""The gate: what one rule forbids, the claim passes over, the sweep settles and the status explains."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.capabilities import ReplyWindow
from backend.core import clock, i18n
from backend.core.database import db
from backend.core.leases import LeaseKeeper
from backend.models import Attempt, Delivery, Identity, Suppression, Workspace
from backend.services import delivery
from backend.services.delivery import campaign_ceilings, gate
from backend.services.dispatch import gate_sweep
from backend.services.dispatch.claims import ClaimRequest, claim
from tests.support import accounts, factories
from tests.support.engine import fresh, say

pytestmark = pytest.mark.usefixtures("everything", "channel")


@pytest.fixture
def epoch(bot):
    db.session.commit()
    keeper = LeaseKeeper(db.engine)
    yield keeper.acquire([bot.id])[0].epoch
    keeper.release([bot.id])


@pytest.fixture
def chat(home, bot):
    return factories.conversation(home, bot)


def claimed(claims, bot, epoch):
    """How many operations a claim would take now."""
    with claims.connect() as connection:
        taken = len(claim(connection, [ClaimRequest(bot.id, epoch, 5)], [], clock.now()))
        connection.rollback()
    return taken


def block(chat):
    chat.blocked_code = "kicked"


def suppress(chat):
    hashed = b"h" * 32
    person = Identity(
        workspace_id=chat.workspace_id,
        channel=chat.channel,
        external_hash=hashed,
        external_id_encrypted=b"",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    db.session.add_all(
        [
            person,
            Suppression(workspace_id=chat.workspace_id, external_hash=hashed, code="asked", created_at=clock.now()),
        ]
    )
    db.session.flush()
    chat.identity_id = person.id


def disable(chat):
    db.session.execute(text("UPDATE senders SET is_active = false WHERE id = :id"), {"id": chat.sender_id})


def pause(chat):
    db.session.execute(
        text("UPDATE sender_leases SET paused_until = :until, pause_reason = 'rate_limited' WHERE sender_id = :id"),
        {"until": clock.now() + timedelta(minutes=5), "id": chat.sender_id},
    )


def close_window(chat):
    declared = replace(registry.spec(chat.channel), reply_window=ReplyWindow({"message_24h": timedelta(hours=24)}))
    registry.put(chat.channel, registry.get(chat.channel), declared)
    chat.last_inbound_at = clock.now() - timedelta(hours=24) + timedelta(seconds=59)


def become_account(chat, **values):
    """The sender becomes a person's account, and what waits a message of a campaign."""
    home = db.session.get_one(Workspace, chat.workspace_id)
    made = accounts.account(home, caught_up_at=clock.now(), **values)
    made.sender_id, chat.channel = chat.sender_id, campaign_ceilings.CHANNEL
    db.session.flush()
    db.session.execute(text("UPDATE deliveries SET lane = 2 WHERE conversation_id = :id"), {"id": chat.id})
    return made


def limit_account(chat):
    become_account(chat, state="limited")


def use_up_hour(chat):
    made = become_account(chat)
    db.session.add(
        Attempt(
            workspace_id=chat.workspace_id,
            sender_id=chat.sender_id,
            message_id=1,
            delivery_id=10**9,
            part=0,
            operation="send",
            phase="started",
            epoch=1,
            at=clock.now() - timedelta(minutes=59),
            kind=campaign_ceilings.KIND,
            quota_key=made.quota_key,
        )
    )


def lose_charge(chat):
    chat.in_charge = "page_inbox"


CASES = {
    "suppressed": (suppress, "suppressed", "suppressed"),
    "blocked": (block, "kicked", "kicked"),
    "in_charge": (lose_charge, "not_in_charge", "not_in_charge"),
    "reply_window": (close_window, "window_closed", "window_closed"),
    "campaign_account": (limit_account, "account_limited", None),
    "campaign_pace": (use_up_hour, "hour_limit", None),
    "sender_disabled": (disable, "sender_disabled", None),
    "sender_paused": (pause, "rate_limited", None),
}


def test_each_rule_has_a_case_here():
    assert list(CASES) == [rule.name for rule in gate.RULES]


@pytest.mark.parametrize("name", CASES)
def test_a_rule_gives_the_same_answer_in_the_claim_the_sweep_and_the_status(name, claims, bot, chat, epoch):
    forbid, code, ends_as = CASES[name]
    message = say(chat, "hello")
    assert claimed(claims, bot, epoch) == 1
    forbid(chat)
    db.session.commit()
    assert claimed(claims, bot, epoch) == 0
    status = delivery.status_of(fresh(message))
    assert status.verdict is not None
    assert (status.state, status.reason, status.verdict.rule.name) == ("queued", code, name)
    assert gate_sweep.apply() == (1 if ends_as else 0)
    status = delivery.status_of(fresh(message))
    assert (status.state, status.error) == (("canceled", ends_as) if ends_as else ("queued", None))
    assert status.reason == code


@pytest.mark.parametrize("ends", [True, False])
def test_a_rule_that_is_added_to_the_list_is_honoured_everywhere(claims, bot, chat, epoch, monkeypatch, ends):
    taken_over = gate.Rule(
        "taken_over",
        "conversation",
        "(SELECT 'taken_over' FROM messages m WHERE m.id = d.message_id AND m.kind = 'test'"
        " AND c.title = 'in charge' LIMIT 1)",
        ends=ends,
        is_noted=not ends,
    )
    monkeypatch.setattr(gate, "RULES", (taken_over, *gate.RULES))
    message = say(chat, "hello")
    assert claimed(claims, bot, epoch) == 1
    chat.title = "in charge"
    db.session.commit()
    assert claimed(claims, bot, epoch) == 0
    assert delivery.status_of(fresh(message)).reason == "taken_over"
    gate_sweep.apply()
    if ends:
        assert (fresh(message).state, message.error) == ("canceled", "taken_over")
        return
    assert db.session.execute(select(Delivery.reason)).scalar_one() == "taken_over"
    chat.title = None
    db.session.commit()
    gate_sweep.apply()
    assert db.session.execute(select(Delivery.reason)).scalar_one() == "queued"
    assert claimed(claims, bot, epoch) == 1


def test_what_will_never_be_sent_says_so_before_what_is_only_held(claims, bot, chat, epoch):
    message = say(chat, "hello")
    block(chat)
    disable(chat)
    pause(chat)
    db.session.commit()
    assert delivery.status_of(fresh(message)).reason == "kicked"
    assert gate_sweep.apply() == 1
    assert (fresh(message).state, message.error) == ("canceled", "kicked")


def test_a_pause_that_ends_before_a_message_is_due_is_not_its_reason(bot, chat, epoch):
    message = say(chat, "later", not_before=clock.now() + timedelta(hours=1), reason="quiet_hours")
    pause(chat)
    db.session.commit()
    status = delivery.status_of(fresh(message))
    assert (status.reason, status.verdict) == ("quiet_hours", None)


def test_the_sweep_goes_through_a_long_queue_page_by_page_and_begins_anew(home, bot, epoch):
    messages = [say(factories.conversation(home, bot, str(number)), "hello") for number in range(7)]
    for message in messages[1::2]:
        db.session.execute(
            text("UPDATE conversations SET blocked_code = 'left' WHERE id = :id"), {"id": message.conversation_id}
        )
    db.session.commit()
    over = iter(range(100))
    hurried = lambda: float(next(over))  # noqa: E731 - each reading of this clock is a second later
    assert [gate_sweep.apply(page=3, monotonic=hurried) for _ in range(3)] == [1, 2, 0]
    assert [fresh(message).state for message in messages] == ["queued", "canceled"] * 3 + ["queued"]
    db.session.execute(text("UPDATE conversations SET blocked_code = 'left'"))
    db.session.commit()
    assert gate_sweep.apply(page=3) == 4


def test_a_conversation_that_is_blocked_takes_nothing_new(bot, chat):
    block(chat)
    message = delivery.send(chat, Content("hello"), kind="test")
    assert (message.state, message.error) == ("canceled", "kicked")
    assert gate.refusal(chat) == "kicked"


@pytest.mark.parametrize("locale", i18n.LOCALES)
@pytest.mark.parametrize("rule", gate.RULES, ids=lambda rule: rule.name)
def test_each_rule_is_explained_in_each_language(rule, locale):
    assert gate.Verdict(rule, "some_code").explain(locale)
