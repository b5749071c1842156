"""Bodies of several items: each is stored once, in order, for the sender that owns its recipient."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import event, select

from backend.channels.base import SenderFacts
from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.work import Turn
from backend.models import UnknownRecipient, WebhookEvent, WebhookEventKey
from backend.services import intake, senders
from backend.services.intake import batcher, event_store, waiting_items
from backend.services.senders import webhook_verifier
from tests.support import example_provider as example
from tests.support import factories
from tests.support.example_provider import body, message


@pytest.fixture(autouse=True)
def _example(app):
    with example.added(), system_scope("the intake serves all workspaces"):
        yield


@pytest.fixture
def home(app):
    made = factories.workspace()
    db.session.commit()
    return made


@pytest.fixture
def one(home):
    return example.sender(home, "account-1")


@pytest.fixture
def two(home):
    return example.sender(home, "account-2")


def target_of(sender):
    target = senders.webhook_target_of("example", sender.id)
    assert target is not None
    return target


def accept(sender, raw, secret=example.SECRET):
    webhook_verifier.forget()
    target = target_of(sender)
    recipients = target.prove(example.signed(raw, secret), raw)
    assert recipients is not None
    return intake.accept(target, raw, recipients).result(60)


def stored(state=None):
    db.session.rollback()
    query = select(WebhookEvent).order_by(WebhookEvent.id)
    return list(db.session.execute(query if state is None else query.where(WebhookEvent.state == state)).scalars())


def said(row):
    place = event_store.row_name(row.sender_id, row.key)
    piece = keyring().decrypt(row.body_encrypted, table="webhook_events", column="body_encrypted", row=place)
    (entry,) = json.loads(piece)["accounts"]
    (only,) = entry["events"]
    return only["id"]


def unknown():
    db.session.rollback()
    return {row.recipient_id: row.count for row in db.session.execute(select(UnknownRecipient)).scalars()}


def test_each_item_is_a_row_of_the_sender_that_owns_its_recipient_in_the_bodys_order(one, two):
    raw = body(("account-2", message(1)), ("account-1", message(2)), ("account-2", message(3)))
    assert accept(one, raw) is True
    assert [(row.sender_id, said(row)) for row in stored("new")] == [(two.id, "m1"), (one.id, "m2"), (two.id, "m3")]
    first, _, third = stored()
    assert first.conversation_key == third.conversation_key, "one person at one sender"


def test_an_item_twice_in_a_body_and_again_in_another_batch_is_stored_once(one):
    assert accept(one, body(*[("account-1", message(n)) for n in (1, 2, 1)])) is True
    assert accept(one, body(*[("account-1", message(n)) for n in (2, 1)])) is False
    assert accept(one, body(*[("account-1", message(n)) for n in (2, 3)])) is True
    assert [said(row) for row in stored()] == ["m1", "m2", "m3"]


def test_the_same_event_of_two_senders_is_two(one, two):
    assert accept(one, body(("account-1", message(1)), ("account-2", message(1)))) is True
    assert len(stored()) == 2


def test_a_bad_item_in_the_middle_is_parked_alone(one):
    raw = json.dumps({"accounts": [{"account": "account-1", "events": [message(1), 7, message(2)]}]}).encode()
    assert accept(one, raw) is True
    assert [(row.state, row.error) for row in stored()] == [("new", None), ("parked", "unparsable"), ("new", None)]


def test_a_body_that_cannot_be_read_is_parked(one):
    assert accept(one, b"\xff{") is True
    assert [(row.state, row.error, row.sender_id) for row in stored()] == [("parked", "unparsable", one.id)]


def test_an_item_for_nobody_here_is_dropped_and_counted_and_the_others_are_stored(one):
    raw = body(("account-9", message(1)), ("account-1", message(2)), ("account-9", message(3)))
    assert accept(one, raw) is True
    assert [said(row) for row in stored()] == ["m2"]
    assert unknown() == {"account-9": 2}
    assert accept(one, body(("account-9", message(4)))) is False
    assert unknown() == {"account-9": 3}


def test_a_secret_reaches_only_the_senders_that_hold_it(one, app):
    """Somebody signs with the secret of their own sender and names another workspace's account."""
    theirs = example.sender(factories.workspace(), "account-3", secret="another-secret")
    assert accept(theirs, body(("account-1", message(1))), "another-secret") is False
    assert stored() == []
    assert accept(one, body(("account-3", message(2)))) is False
    assert stored() == []


def test_either_of_two_secrets_of_a_sender_is_good(home):
    sender = example.sender(home, "account-1", second_app_secret="the-second")
    assert accept(sender, body(("account-1", message(1))), "the-second") is True
    assert len(stored("new")) == 1


def test_an_item_waits_while_a_senders_id_is_not_known_and_goes_to_it_then(home, one):
    late = example.sender(home, None)
    assert accept(one, body(("account-2", message(1)), ("account-1", message(2)))) is True
    assert [(row.state, row.recipient_id) for row in stored()] == [("waiting", "account-2"), ("new", None)]
    assert waiting_items.WORK.is_due()
    assert waiting_items.resolve(Turn(60.0)) == 0, "nothing is known yet"
    assert not waiting_items.WORK.is_due()
    senders.keep_facts(late, SenderFacts("account-2", None, "Late"))
    db.session.commit()
    assert waiting_items.WORK.is_due(), "looked at again at once"
    assert waiting_items.resolve(Turn(60.0)) == 1
    assert sorted((row.sender_id, said(row)) for row in stored("new")) == sorted([(one.id, "m2"), (late.id, "m1")])
    assert stored("waiting") == []


def test_an_item_that_came_to_the_address_of_the_sender_it_waited_for_is_not_lost(home):
    """Its key is the same before and afterwards, so that it would be taken for one that is known."""
    late = example.sender(home, None)
    assert accept(late, body(("account-2", message(1)))) is True
    senders.keep_facts(late, SenderFacts("account-2", None, "Late"))
    db.session.commit()
    assert waiting_items.resolve(Turn(60.0)) == 1
    assert [(row.sender_id, row.recipient_id, said(row)) for row in stored("new")] == [(late.id, None, "m1")]
    assert accept(late, body(("account-2", message(1)))) is False


def test_what_waited_for_somebody_else_is_dropped_and_counted_then(home, one):
    late = example.sender(home, None)
    accept(one, body(("account-9", message(1))))
    senders.keep_facts(late, SenderFacts("account-2", None, "Late"))
    db.session.commit()
    assert waiting_items.resolve(Turn(60.0)) == 1
    assert (stored(), unknown()) == ([], {"account-9": 1})


def test_an_item_that_waits_is_looked_at_less_and_less_often(home, one):
    example.sender(home, None)
    accept(one, body(("account-9", message(1))))
    pauses = []
    for _ in range(12):
        waiting_items.resolve(Turn(60.0))
        (row,) = stored("waiting")
        pauses.append((row.due_at - clock.now()).total_seconds())
        clock.move(pauses[-1] + 1)
    assert pauses[0] < 6
    assert 200 < pauses[-1] <= 300


def test_a_thousand_items_are_one_transaction_of_few_statements_in_order(one, two):
    raw = body(*[(f"account-{1 + n % 2}", message(n, f"person-{n % 7}")) for n in range(1200)])
    statements: list[str] = []
    listen = lambda connection, cursor, statement, *rest: statements.append(statement)  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        assert accept(one, raw) is True
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    assert [said(row) for row in stored()] == [f"m{n}" for n in range(1200)]
    assert sum("webhook_event" in statement for statement in statements) == 6, "three chunks of keys, three of events"
    assert accept(one, raw) is False
    assert len(stored()) == 1200


def test_a_thousand_items_are_stored_whole_or_not_at_all(one, monkeypatch):
    real = event_store._values
    calls: list[int] = []

    def defect(rows, now):
        calls.append(len(rows))
        if len(calls) == 2:
            raise RuntimeError("a defect between two statements")
        return real(rows, now)

    raw = body(*[("account-1", message(n)) for n in range(1200)])
    with monkeypatch.context() as patched:
        patched.setattr(event_store, "_values", defect)
        with pytest.raises(RuntimeError):
            accept(one, raw)
    assert stored() == []
    assert db.session.execute(select(WebhookEventKey)).first() is None
    assert accept(one, raw) is True, "it is repeated, and its keys are not taken"
    assert len(stored()) == 1200


def test_small_bodies_do_not_wait_behind_a_large_one(one, monkeypatch):
    real, go_on, begun = batcher.insert, threading.Event(), threading.Event()

    def slow(connection, rows):
        if len(rows) > 100:
            begun.set()
            assert go_on.wait(60)
        return real(connection, rows)

    monkeypatch.setattr(batcher, "insert", slow)
    large = body(*[("account-1", message(n, text="x" * 200)) for n in range(600)])
    assert len(large) > 64 * 1024
    target = target_of(one)
    future = intake.accept(target, large)
    assert begun.wait(60)
    assert intake.accept(target, body(("account-1", message("small")))).result(60) is True
    assert not future.done()
    go_on.set()
    assert future.result(60) is True
    assert len(stored()) == 601


def test_without_a_secret_everything_is_refused(home):
    sender = example.sender(home, "account-1", secret="")
    target = target_of(sender)
    raw = body(("account-1", message(1)))
    assert target.prove(example.signed(raw, ""), raw) is None
    assert target.prove(example.signed(raw), raw) is None


def test_two_processes_that_store_the_same_items_in_other_orders_store_each_once(one):
    target = target_of(one)
    items = [("account-1", message(n)) for n in range(1200)]
    acceptors = [batcher.Acceptor(db.engine, for_large=True) for _ in range(2)]
    bodies = [body(*items), body(*reversed(items))]
    futures = [acceptor.accept(target, raw) for acceptor, raw in zip(acceptors, bodies, strict=True)]
    assert True in [future.result(60) for future in futures]
    assert sorted(said(row) for row in stored()) == sorted(f"m{n}" for n in range(1200))
