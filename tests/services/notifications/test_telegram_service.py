"""The Python surface: a transaction of its own, a decision as the answer, and no Telegram that could fail it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Message, NotificationEvent, User, Workspace
from backend.services import linking
from backend.services.host_api import TelegramService, send_sns_notification
from tests.support import factories
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def person(app: Any) -> User:
    """A person, stored for good; in no scope, as a host application calls."""
    FakeChannel(part_chars=4096).install()
    home = factories.workspace()
    made: User = factories.user(home)
    factories.bot(home, source="environment")
    with system_scope("set-up"):
        db.session.commit()
    return made


def linked(person: User, **values: Any) -> User:
    bot = linking.default_bot()
    assert bot is not None
    factories.link(person, bot, **values)
    with system_scope("set-up"):
        db.session.commit()
    return person


def count(model: Any) -> int:
    with system_scope("a look from outside"):
        db.session.rollback()
        return db.session.scalars(select(func.count()).select_from(model)).one()


def test_a_linked_person_is_notified(person: User) -> None:
    sent = send_sns_notification(linked(person).id, "post_success", {"platform": "instagram"})
    assert sent
    assert (sent.decision, sent.reason) == ("queued", None)
    assert (count(NotificationEvent), count(Message)) == (1, 1)


def test_an_unlinked_person_is_a_recorded_reason_and_no_error(person: User) -> None:
    sent = send_sns_notification(person.id, "post_success", {})
    assert not sent
    assert (sent.decision, sent.reason, sent.message_id) == ("suppressed", "not_linked", None)
    assert count(NotificationEvent) == 1


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        "text",
        {"likes": Decimal("3"), "at": datetime(2026, 2, 26, tzinfo=UTC), 5: {1}, "x": object(), "s": "\x00\ud800"},
        {"n": float("nan"), "content": b"bytes"},
    ],
)
def test_no_data_of_a_host_application_raises(person: User, data: Any) -> None:
    assert send_sns_notification(linked(person).id, "post_success", data)
    assert count(Message) == 1


def test_the_callers_open_transaction_is_neither_committed_nor_seen(person: User) -> None:
    linked(person)
    with system_scope("the caller's own work"):
        db.session.add(Workspace(name="not yet", created_at=datetime.now(UTC)))
        db.session.flush()
        before = db.session.scalars(select(func.count()).select_from(Workspace)).one()
        assert send_sns_notification(person.id, "post_success", {})
        assert db.session.scalars(select(func.count()).select_from(Workspace)).one() == before
    assert count(Workspace) == before - 1
    assert count(Message) == 1


def test_mistakes_of_the_caller_are_errors_and_store_nothing(person: User) -> None:
    with pytest.raises(Invalid):
        send_sns_notification(person.id, "no_such_type", {})
    with pytest.raises(NotFound):
        send_sns_notification(person.id + 999, "post_success", {})
    with pytest.raises(Conflict):
        TelegramService().send_test_message(person.id)
    assert count(NotificationEvent) == 0


def test_the_class_says_whether_and_how_somebody_is_linked(person: User) -> None:
    service = TelegramService()
    assert (service.is_linked(person.id), service.link_status(person.id).linked) == (False, False)
    linked(person, state="blocked")
    status = service.link_status(person.id)
    assert (service.is_linked(person.id), status.linked, status.reason) == (False, True, "blocked")
    assert status.linked_at is not None


def test_a_test_message_and_a_subject_by_the_class(person: User) -> None:
    service = TelegramService()
    linked(person)
    assert service.is_linked(person.id)
    assert service.send_test_message(person.id) > 0
    first = service.send_sns_notification(person.id, "post_success", {"likes": 1}, subject="p", version=1)
    second = service.send_sns_notification(person.id, "post_success", {"likes": 2}, subject="p", version=2)
    stale = service.send_sns_notification(person.id, "post_success", {"likes": 2}, subject="p", version=2)
    assert first.message_id == second.message_id
    assert (stale.decision, stale.reason) == ("suppressed", "stale_version")
