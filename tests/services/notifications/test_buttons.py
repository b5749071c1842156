"""Buttons pressed: by the person whose link it is, by others, after an unlinking, with forged data."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from backend.channels.inbound import ButtonPressed, Chat, Person
from backend.core.database import db, system_scope
from backend.models import AuditEntry, Delivery, Sender, User, Workspace
from backend.services import conversations, notifications
from backend.services.notifications import custom_types, retry, settings
from tests.services.notifications.conftest import Reporter, mark_sent
from tests.support import factories


def press(sender: Sender, data: str, *, chat_id: str = "5001", person_id: str = "5001", **options: Any) -> list[str]:
    """Presses as the intake does, and returns the answers to presses that wait in the outbox."""
    kind = options.pop("kind", "private")
    pressed = ButtonPressed("cb-1", data, Person(person_id, "Kim"), Chat(chat_id, kind), **options)
    with system_scope("as the intake runs it"):
        assert notifications.press(sender, pressed)
        return answers()


def answers() -> list[str]:
    rows = db.session.scalars(select(Delivery).where(Delivery.operation == "answer_callback").order_by(Delivery.id))
    return [row.payload["text"] for row in rows if row.payload]


def muted(person: User, type_name: str = "post_success") -> bool:
    return not settings.preferences_of(person).types[type_name]


def test_mute_switches_the_type_answers_and_offers_unmute(report: Reporter, bot: Sender) -> None:
    report(data={"post_url": "https://example.com/p"})
    mark_sent(report.messages()[0], "77")
    said = press(bot, "notify:mute:post_success", message_id="77")
    assert said == ["Muted: “Post published”. You will not be notified of these any more."]
    assert muted(report.person)
    (message,) = report.messages()
    assert report.buttons(message) == ["https://example.com/p", "notify:unmute:post_success"]
    assert (message.id, "edit", "queued") in report.deliveries()
    assert report.outcome() == ("suppressed", "muted")


def test_unmute_turns_it_back(report: Reporter, bot: Sender) -> None:
    report()
    mark_sent(report.messages()[0], "77")
    press(bot, "notify:mute:post_success", message_id="77")
    said = press(bot, "notify:unmute:post_success", message_id="77")
    assert said[-1] == "Notifications of “Post published” are on again."
    assert not muted(report.person)
    assert report.buttons(report.messages()[0]) == ["notify:mute:post_success"]


def test_pressing_twice_changes_nothing_more(report: Reporter, bot: Sender) -> None:
    report()
    mark_sent(report.messages()[0], "77")
    press(bot, "notify:mute:post_success", message_id="77")
    version = report.messages()[0].version
    press(bot, "notify:mute:post_success", message_id="77")
    assert report.messages()[0].version == version


def test_a_press_is_audited(report: Reporter, bot: Sender, home: Any) -> None:
    press(bot, "notify:mute:post_success")
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "notification_type.muted")).one()
    assert (entry.actor, entry.workspace_id, entry.subject) == ("telegram", home.id, f"user:{report.person.id}")


def test_the_answer_is_in_the_persons_language(report: Reporter, bot: Sender) -> None:
    report.person.locale = "ko"
    assert press(bot, "notify:mute:post_failure") == ["“게시 실패” 알림을 껐습니다. 더 이상 보내지 않습니다."]


def test_somebody_else_in_the_chat_may_not_press(report: Reporter, bot: Sender) -> None:
    said = press(bot, "notify:mute:post_success", person_id="6006")
    assert said == ["Only the person whose account is linked here can do that."]
    assert not muted(report.person)


def test_in_a_group_only_the_linked_person_may_press(home: Any, bot: Sender, person: User) -> None:
    factories.link(person, bot, "-100200")
    conversations.identity_of(bot.channel, Person("5001", "Kim"), workspace_id=home.id, user_id=person.id)
    conversations.identity_of(bot.channel, Person("6006", "Lee"), workspace_id=home.id)
    press(bot, "notify:mute:post_success", chat_id="-100200", kind="supergroup", person_id="6006")
    press(bot, "notify:mute:post_success", chat_id="-100200", kind="supergroup", person_id="7007")
    assert not muted(person)
    press(bot, "notify:mute:post_success", chat_id="-100200", kind="supergroup", person_id="5001")
    assert muted(person)


def test_after_an_unlinking_a_press_is_told_so(report: Reporter, bot: Sender, link: Any) -> None:
    db.session.delete(link)
    db.session.flush()
    assert press(bot, "notify:mute:post_success") == ["This chat is not linked to an account any more."]
    assert not muted(report.person)


def test_a_press_in_a_chat_nobody_knows_is_left_to_others(report: Reporter, bot: Sender) -> None:
    pressed = ButtonPressed("cb-1", "notify:mute:post_success", Person("9", "X"), Chat("9", "private"))
    with system_scope("as the intake runs it"):
        assert not notifications.press(bot, pressed)
        assert not notifications.press(bot, ButtonPressed("cb-1", "notify:mute:post_success", Person("9", "X")))


@pytest.mark.parametrize(
    "data", ["notify:", "notify:mute:", "notify:mute:<b>", "notify:retry:x", "notify:retry:999", "notify:drop:x"]
)
def test_forged_data_changes_nothing(report: Reporter, bot: Sender, data: str) -> None:
    before = settings.preferences_of(report.person)
    assert press(bot, data) == ["That is no longer possible."]
    assert settings.preferences_of(report.person) == before


def test_the_button_of_a_deleted_type_still_mutes(report: Reporter, bot: Sender) -> None:
    made = custom_types.create(
        factories.by("test"), {"name": "order", "title": "Orders", "templates": {"en": "Order <b>{id}</b>"}}
    )
    report("order", {"id": 7})
    mark_sent(report.messages()[0], "77")
    custom_types.delete(factories.by("test"), made.id)
    assert press(bot, "notify:mute:order", message_id="77") == [
        "Muted: “order”. You will not be notified of these any more."
    ]
    (message,) = report.messages()
    assert report.text(message) == "Order <b>7</b>"
    assert report.buttons(message) == ["notify:unmute:order"]


def test_retry_runs_the_way_that_is_registered_for_the_persons_own_event(
    report: Reporter, bot: Sender, home: Workspace
) -> None:
    ran: list[int] = []
    notifications.register_retry(
        notifications.RetryHandler("test", lambda event: True, lambda event: ran.append(event.id))
    )
    try:
        own = report("post_failure", {"post_id": 5})
        foreign = Reporter(factories.user(home))("post_failure", {"post_id": 5})
        assert press(bot, f"notify:retry:{own.id}") == ["Publishing again…"]
        assert press(bot, f"notify:retry:{foreign.id}")[-1] == "That is no longer possible."
    finally:
        retry.unregister("test")
    assert press(bot, f"notify:retry:{own.id}")[-1] == "That is no longer possible."
    assert ran == [own.id]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "post.retry_requested")).one()
    assert entry.subject == f"event:{own.id}"
