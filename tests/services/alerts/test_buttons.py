"""Buttons: who may press, what a press does, that it says who it was, and that nobody else's chat can press it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.channels.inbound import ButtonPressed, Chat, Person
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import AuditEntry, Delivery
from backend.services import alerts
from backend.services.alerts.lifecycle import actions as acting
from backend.services.alerts.lifecycle import button_presses as buttons
from backend.services.alerts.rules import silences
from backend.services.intake import telegram
from tests.services.alerts.conftest import BY, GROUP, buttons_of, linked, run_timers, text_of
from tests.support import factories


@pytest.fixture
def press(room, sent):
    """Presses a button in the group, as the drain would hand it over; returns the answer."""

    def act(action: str, person: str = "5001", chat: str = GROUP, alert_id: int | None = None) -> str:
        number = alert_id if alert_id is not None else room.alerts()[0].id
        event = ButtonPressed(
            f"cb{clock.unix()}", f"alert:{action}:{number}", Person(person, "Somebody", language="en"),
            Chat(chat, "group", title="Ops"), "1000",
        )  # fmt: skip
        with system_scope("the drain serves all workspaces"):
            telegram.handle(room.sender, event)
            db.session.commit()
            payloads = db.session.scalars(
                select(Delivery.payload).where(Delivery.operation == "answer_callback").order_by(Delivery.id)
            ).all()
        return payloads[-1]["text"] if payloads and payloads[-1] else ""

    return act


@pytest.fixture
def fired(room, sent):
    room.raise_("Disk full", labels={"service": "db"})
    sent(room.messages()[0])


@pytest.mark.usefixtures("fired", "ada")
def test_an_operator_acknowledges_and_the_message_says_who(room, press):
    assert press("ack") == "Acknowledged."
    assert "👀 Acknowledged by Ada" in room.texts()[0]
    assert room.alert().state == "acknowledged"
    alert_id = room.alert().id
    actions = ("unack", "snooze", "silence", "resolve")
    assert buttons_of(room.messages()[0]) == [f"alert:{name}:{alert_id}" for name in actions]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "alert.acknowledged")).one()
    assert (entry.actor, entry.subject, entry.detail["by"][:5]) == ("telegram", f"alert:{alert_id}", "user:")


@pytest.mark.usefixtures("fired", "ada")
@pytest.mark.parametrize(
    ("presses", "state", "words"),
    [
        (["ack", "unack"], "firing", "No longer acknowledged."),
        (["snooze"], "snoozed", "Snoozed until"),
        (["snooze", "wake"], "firing", "It is awake again."),
        (["resolve"], "resolved", "Resolved."),
        (["ack", "ack"], "acknowledged", "It is so already."),
        (["resolve", "ack"], "resolved", "This alert is resolved already."),
        (["resolve", "silence"], "resolved", "This alert is resolved already."),
        (["silence"], "firing", "Silenced until"),
    ],
)
def test_a_press_leads_to(room, press, presses, state, words):
    for action in presses:
        answer = press(action)
    assert room.alert().state == state
    assert answer.startswith(words)


@pytest.mark.usefixtures("fired", "ada")
def test_silence_hushes_exactly_this_alert(room, press):
    press("silence")
    (made,), _ = silences.listing(state="active", cursor=None, limit=5)
    assert made.matchers == [
        {"label": "service", "op": "=", "value": "db"},
        {"label": "bot_name", "op": "=", "value": "alerts"},
    ]
    assert made.by_name == "Ada"
    assert "🔇 Silenced until" in room.texts()[0]
    run_timers()
    clock.move(61)
    assert room.raise_("Disk full", labels={"service": "db"}).decision == "silenced"


@pytest.mark.usefixtures("fired")
def test_somebody_who_is_not_linked_may_not_press(room, press):
    assert "Link your Telegram account" in press("ack", person="777")
    assert room.alert().state == "firing"


@pytest.mark.usefixtures("fired")
def test_a_viewer_may_not_press(room, press, home, default_bot):
    linked(home, default_bot, "5002", role="viewer")
    assert press("ack", person="5002") == "This needs the role operator."
    assert room.alert().state == "firing"


@pytest.mark.usefixtures("fired")
def test_a_disabled_person_may_not_press(room, press, home, default_bot):
    linked(home, default_bot, "5003", role="admin", disabled_at=clock.now())
    assert "Link your Telegram account" in press("ack", person="5003")


@pytest.mark.usefixtures("fired")
def test_a_person_of_another_workspace_may_not_press(room, press, default_bot):
    linked(factories.workspace(), default_bot, "5004", role="admin")
    assert "Link your Telegram account" in press("ack", person="5004")


@pytest.mark.usefixtures("fired", "ada")
def test_a_chat_that_never_had_the_alert_cannot_press_it(room, press):
    press("ack", chat="-9999")
    assert room.alert().state == "firing"


@pytest.mark.parametrize(
    "data",
    ["alert:", "alert:ack", "alert:ack:", "alert:ack:x", "alert:ack:-1", "alert:ack:1e9", "alert:explode:1",
     "alert:ack:99999999999999999999", "alert:ack:١"],
)  # fmt: skip
def test_data_that_name_nothing_are_understood_as_nothing(data):
    assert buttons.read(data)[1] is None


@pytest.mark.usefixtures("fired", "ada")
def test_a_press_and_all_that_follows_are_one_transaction(room, press, monkeypatch):
    """A process that dies in between leaves nothing of it, and the event is processed again."""
    from backend.services import delivery

    def die(*args: object, **more: object) -> None:
        raise SystemExit

    monkeypatch.setattr(delivery, "answer_callback", die)
    with pytest.raises(SystemExit):
        press("ack")
    db.session.rollback()
    monkeypatch.undo()
    assert room.alert().state == "firing"
    assert "Acknowledged" not in room.texts()[0]
    press("ack")
    assert (room.alert().state, room.trace().count("acknowledged")) == ("acknowledged", 1)
    assert "Acknowledged by Ada" in room.texts()[0]


@pytest.mark.usefixtures("fired", "ada")
def test_counting_goes_on_while_it_is_acknowledged(room, press):
    press("ack")
    assert room.raise_("Disk full", labels={"service": "db"}).reason == "acknowledged"
    room.pass_time(5)
    assert "×2" in text_of(room.messages()[0])
    assert "Acknowledged by Ada" in text_of(room.messages()[0])


def test_a_subscriber_acknowledges_in_their_own_chat(room, ada, default_bot, sent):
    from backend.services.notifications import settings

    settings.change(factories.by("user:1"), ada, {"types": {"alerts": True}})
    room.raise_("Disk full")
    group, private = room.messages()
    sent(group)
    sent(private)
    event = ButtonPressed(
        "cb1", f"alert:ack:{room.alert().id}", Person("5001", "Ada"), Chat("5001", "private", name="Ada"), "1"
    )
    with system_scope("the drain serves all workspaces"):
        assert alerts.press(default_bot, event)
        db.session.commit()
    assert all("Acknowledged by Ada" in text for text in room.texts())


def test_some_items_can_be_resolved_and_the_last_ends_the_alert(room):
    from backend.services.alerts.rules import policies

    policies.create(factories.by("user:1"), {"name": "One", "group_by": ["service"], "group_wait": 0})
    for host in ("db-1", "db-2"):
        room.raise_(f"{host} is down", labels={"service": "db", "host": host})
    first, second = room.items()
    acting.resolve_items(room.alert().id, [first.id], BY)
    assert "1 of 2 still firing" in room.texts()[0]
    acting.resolve_items(room.alert().id, [second.id], BY)
    assert room.alert().state == "resolved"
