"""Raising: one living message for what is the same, whatever comes how often; nothing for what cannot be taken."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Invalid, NotFound, TooLarge
from backend.models import Alert, AlertItem, Message, Sender
from tests.services.alerts.conftest import buttons_of, text_of
from tests.support import factories


def test_an_alert_is_said_in_every_chat_of_its_bot(room):
    room.sender.chat_ids = ("-2001", "-2002")
    outcome = room.raise_("Disk full", "84 % of <b>db-1</b>", severity="critical", labels={"host": "db-1"})
    assert (outcome.decision, outcome.level, len(outcome.message_ids)) == ("sent", "database", 2)
    assert [message.kind for message in room.messages()] == ["alert", "alert"]
    text = room.texts()[0]
    assert "🔴 <b>Disk full</b>" in text
    assert "84 % of <b>db-1</b>" in text
    assert "host=db-1" in text
    assert room.alert().state == "firing"


def test_the_same_within_the_throttle_is_counted_and_not_sent(room):
    room.raise_("Disk full", "84 %")
    second = room.raise_("Disk full", "84 %")
    assert (second.decision, second.reason, second.count) == ("counted", "throttled", 2)
    assert len(room.messages()) == 1
    room.pass_time(5)
    assert "×2" in room.texts()[0]


@pytest.mark.parametrize(
    "other",
    [{"title": "Disk empty"}, {"message": "85 %"}, {"severity": "info"}, {"bot_name": "deploy"}],
    ids=lambda fields: next(iter(fields)),
)
def test_what_differs_in_any_part_of_the_default_key_is_another_alert(room, home, other):
    deploy = factories.bot(home, name="deploy")
    deploy.chat_ids = ("-3001",)
    room.raise_("Disk full", "84 %")
    room.raise_(**({"title": "Disk full", "message": "84 %"} | other))
    assert len(room.alerts()) == 2


def test_a_throttle_key_joins_what_reads_differently_and_the_newest_words_stand(room):
    room.raise_("Disk at 84 %", throttle_key="disk")
    room.raise_("Disk at 85 %", throttle_key="disk")
    room.raise_("Disk at 86 %", throttle_key="disk")
    room.pass_time(5)
    assert len(room.alerts()) == 1
    assert "<b>Disk at 86 %</b> ×3" in room.texts()[0]


def test_after_the_throttle_the_same_is_sent_again_and_the_new_message_is_the_living_one(room):
    room.raise_("Disk full")
    clock.move(61)
    outcome = room.raise_("Disk full")
    assert (outcome.decision, outcome.count) == ("sent", 2)
    assert len(room.alerts()) == 1
    # The first was still waiting: it says the newest, and nothing is said twice.
    assert len(room.messages()) == 1


def test_an_earlier_message_points_to_the_newer_one(room, sent):
    room.raise_("Disk full")
    sent(room.messages()[0])
    clock.move(61)
    room.raise_("Disk full")
    first, second = room.messages()
    assert "newer message below" in text_of(first)
    assert buttons_of(first) == []
    assert "×2" in text_of(second)
    assert "It happened again" in text_of(second)
    assert f"alert:ack:{room.alert().id}" in buttons_of(second)


def test_what_was_resolved_a_moment_ago_fires_again_in_the_same_message(room):
    room.raise_("Disk full")
    room.raise_("Disk full", status="resolved")
    assert room.alert().state == "resolved"
    outcome = room.raise_("Disk full")
    assert outcome.decision == "counted"
    assert (room.alert().state, len(room.messages())) == ("firing", 1)
    assert "×2" in room.texts()[0]


def test_what_was_resolved_long_ago_is_a_new_alert(room):
    room.raise_("Disk full")
    clock.move(30)
    room.raise_("Disk full", status="resolved")
    clock.move(31)
    outcome = room.raise_("Disk full")
    assert outcome.decision == "sent"
    assert [alert.state for alert in room.alerts()] == ["resolved", "firing"]


def test_ending_what_never_fired_is_ignored(room):
    outcome = room.raise_("Disk full", status="resolved")
    assert (outcome.decision, outcome.alert_id) == ("ignored", None)
    assert room.alerts() == []


def test_a_template_is_filled_and_escaped(room):
    outcome = room.raise_("", template="{host} is <b>down</b>", vars={"host": "<i>db-1"})
    assert outcome.decision == "sent"
    assert "&lt;i&gt;db-1 is" in room.texts()[0]


def test_an_alert_without_a_title_is_called_by_its_first_line(room):
    room.raise_("", "Deploy <b>failed</b>\nSee the log")
    assert room.alert().title == "Deploy failed"
    assert room.items()[0].body == "See the log"


BAD = {
    "nothing to say": {"title": ""},
    "severity": {"severity": "VERY BAD"},
    "a label's name": {"labels": {"no spaces": "x"}},
    "a label's value": {"labels": {"x": "y" * 1001}},
    "a button's address": {"buttons": [{"text": "x", "url": "javascript:alert(1)"}]},
    "too many buttons": {"buttons": [{"text": "x", "url": "https://example.com"}] * 7},
    "a template's brace": {"template": "{host"},
    "a template that is not there": {"template": "host_down"},
    "a chat": {"chat_ids": ["not a chat"]},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_taken_is_refused_and_nothing_is_stored(room, fields):
    with pytest.raises(Invalid):
        room.raise_(**({"title": "Disk full"} | fields))
    db.session.rollback()
    assert stored() == (0, 0, 0)


def stored() -> tuple[int, ...]:
    return tuple(
        db.session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (Alert, AlertItem, Message)
    )


def test_a_bot_that_is_not_there_is_refused(room):
    with pytest.raises(NotFound, match="bot_not_found"):
        room.raise_("Disk full", bot_name="nobody")
    db.session.rollback()
    assert stored() == (0, 0, 0)


def test_another_workspaces_bot_is_not_there(room, home):
    other = factories.workspace()
    factories.bot(other, name="theirs").chat_ids = ("-9",)
    with pytest.raises(NotFound, match="bot_not_found"):
        room.raise_("Disk full", bot_name="theirs")


def test_a_bot_without_chats_is_refused_where_it_was_named(room, home):
    factories.bot(home, name="mute")
    with pytest.raises(Invalid, match="no_chats"):
        room.raise_("Disk full", bot_name="mute")


def test_an_oversized_photo_and_a_private_address_are_refused(room, home):
    from backend.models import StoredFile
    from backend.services.notifications import Attachment

    file = StoredFile(
        key="k", filename="a.png", mime="image/png", size=11 * 1024 * 1024, sha256="0", created_at=clock.now()
    )
    db.session.add(file)
    db.session.commit()
    with pytest.raises(TooLarge):
        room.raise_("Disk full", attachment=Attachment("photo", file_id=file.id))
    db.session.rollback()
    with pytest.raises(Invalid) as refused:
        room.raise_("Disk full", attachment=Attachment("photo", url="http://127.0.0.1/a.png"))
    db.session.rollback()
    assert "private_address" in str(refused.value.detail)
    assert stored() == (0, 0, 0)


def test_explicit_chats_take_the_place_of_the_bots_own(room):
    outcome = room.raise_("Disk full", bot_name="alerts", chat_ids=["-7001"])
    assert outcome.level == "database"
    assert len(room.messages()) == 1


def test_the_throttle_can_be_switched_off(room, settings, monkeypatch):
    from backend.core import config

    monkeypatch.setattr(config, "_current", settings.model_copy(update={"telegram_alert_throttle_seconds": 0}))
    room.raise_("Disk full")
    assert room.raise_("Disk full").decision == "sent"


def test_ten_thousand_repetitions_are_one_message_with_the_right_count(room, sent):
    room.raise_("Disk full")
    sent(room.messages()[0])
    for _ in range(999):
        room.raise_("Disk full")
    room.pass_time(5)
    assert len(room.messages()) == 1
    assert "×1,000" in room.texts()[0]
    assert [operation for _, operation in room.waiting()] == ["edit"]


def test_the_bot_is_found_in_any_case(room, home):
    bot = factories.bot(home, name="Deploy")
    bot.chat_ids = ("-3001",)
    db.session.flush()
    room.raise_("Done", bot_name="deploy")
    message = room.messages()[0]
    assert db.session.get_one(Sender, message.sender_id).name == "Deploy"


@pytest.mark.parametrize(
    ("labels", "counted"),
    [
        ({"host": "db-1", "mount": "/var", "name": "값 \"'"}, True),
        ({"mount": "/var", "name": "값 \"'", "host": "db-1"}, True),
        ({"host": "db-2", "mount": "/var", "name": "값 \"'"}, False),
        ({"host": "db-1"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_repetition_is_only_counted_while_its_labels_are_the_same(room, sent, labels, counted):
    from backend.services.alerts.ingest import fast_count
    from backend.services.alerts.ingest.reports import Report
    from backend.services.alerts.state import keys

    room.raise_("Disk full", throttle_key="disk", labels={"host": "db-1", "mount": "/var", "name": "값 \"'"})
    sent(room.messages()[0])
    room.raise_("Disk full", throttle_key="disk", labels={"host": "db-1", "mount": "/var", "name": "값 \"'"})
    again = Report(keys.given("alerts", "disk"), "warning", "Disk full", "", labels)
    assert (fast_count.count(again) is not None) == counted


def test_a_repetition_locks_its_group_before_its_alert(room, sent):
    """Whoever finds that counting is not enough locks the group next: the other way round two of them deadlock."""
    from backend.services.alerts.ingest import fast_count
    from backend.services.alerts.ingest.reports import Report
    from backend.services.alerts.state import keys
    from backend.services.alerts.state.locked_alert import GROUP_LOCKS, lock_group

    def locked() -> list[int]:
        with system_scope("a test reads locks"):
            of_group = text(
                "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = :space"
                " AND pid = pg_backend_pid() AND granted"
            )
            return list(db.session.execute(of_group, {"space": GROUP_LOCKS}).scalars())

    room.raise_("Disk full", throttle_key="disk")
    sent(room.messages()[0])
    room.raise_("Disk full", throttle_key="disk")
    db.session.commit()
    assert locked() == []
    assert fast_count.count(Report(keys.given("alerts", "disk"), "warning", "Disk full")) is not None
    by_count = locked()
    db.session.rollback()
    lock_group(room.alert().group_key)
    assert by_count == locked() != []
