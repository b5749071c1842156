"""What the release before waited for when it was replaced is fetched all the same, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, config
from backend.core.database import db
from backend.core.work import Turn
from backend.models import Alert, FileFetch, Message, NotificationEvent, ScheduledFetch, ScheduleFire, Workspace
from backend.services import notifications, scheduled_messages, scheduling
from backend.services.alerts import AlertInput, Attribution, raise_input
from backend.services.notifications import Attachment
from backend.services.scheduled_messages import fetch_adoption
from tests.support import factories
from tests.support.file_site import Site, fetch_files, file_site

pytestmark = pytest.mark.usefixtures("bot", "scope")


@pytest.fixture(autouse=True)
def _private_addresses(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))


@pytest.fixture
def site() -> Any:
    with file_site() as made:
        yield made


def adopt() -> int:
    db.session.commit()
    adopted = fetch_adoption.adopt(Turn(60.0))
    db.session.expire_all()
    return adopted


def as_before(row: Any, **changes: Any) -> None:
    """The attachment as the release before wrote it."""
    kept = {name: value for name, value in row.attachment.items() if name != "until"}
    row.attachment = kept | {"state": "waiting", "tries": 0} | changes
    for fetch in db.session.scalars(select(FileFetch)):
        db.session.delete(fetch)
    db.session.commit()


def test_an_event_that_waited_is_adopted_once(site: Site, home: Workspace) -> None:
    person = factories.user(home)
    factories.link(person, factories.bot(home, source="environment"))
    attachment = Attachment("photo", url=f"{site.url}/a.png")
    event = notifications.report(
        factories.by("test"), "post_success", person, {"content": "Hello"}, attachment=attachment
    )
    assert adopt() == 0, "this release has asked for it itself"
    as_before(event)
    assert fetch_adoption.WORK.is_due()
    assert (adopt(), adopt()) == (1, 0)
    assert fetch_files() == 1
    assert (event.attachment or {})["state"] == "stored"
    assert (adopt(), site.asked) == (0, ["/a.png"])


def test_what_a_process_of_the_release_before_is_at_is_left_to_it_for_as_long(site: Site, home: Workspace) -> None:
    person = factories.user(home)
    factories.link(person, factories.bot(home, source="environment"))
    attachment = Attachment("photo", url=f"{site.url}/a.png")
    event = notifications.report(
        factories.by("test"), "post_success", person, {"content": "Hello"}, attachment=attachment
    )
    until = (clock.now() + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    as_before(event, tries=1, until=until)
    assert adopt() == 0
    clock.move(61)
    assert adopt() == 1
    assert db.session.get_one(NotificationEvent, event.id).attachment is not None


def test_an_alert_that_waited_is_adopted_once(site: Site, home: Workspace) -> None:
    attachment = Attachment("photo", url=f"{site.url}/a.png")
    disk_full = AlertInput(title="Disk full", bot_name="News", chat_ids=("-5001",), attachment=attachment)
    raise_input(disk_full, Attribution("test", "test"))
    alert = db.session.scalars(select(Alert)).one()
    as_before(alert)
    assert (adopt(), adopt(), fetch_files()) == (1, 0, 1)
    assert (db.session.scalars(select(Alert)).one().attachment or {})["state"] == "sent"


def test_a_fire_that_waited_is_adopted_once(site: Site, home: Workspace) -> None:
    fields = {"bot_name": "News", "chat_ids": ["-5001"], "kind": "cron", "cron": "0 9 * * *"}
    address = f"{site.url}/a.png"
    scheduled_messages.create(factories.by("user:1"), fields | {"photo": {"url": address, "caption": "Figures"}})
    db.session.commit()
    clock.move(86_400)
    scheduling.drain(Turn(60.0))
    db.session.rollback()
    fire = db.session.scalars(select(ScheduleFire)).one()
    fire.result = {name: value for name, value in (fire.result or {}).items() if name != "caption"}
    for fetch in db.session.scalars(select(FileFetch)):
        db.session.delete(fetch)
    waited = {"fire_id": fire.id, "kind": "photo", "url": address, "caption": "Figures", "due_at": clock.now()}
    db.session.add(ScheduledFetch(workspace_id=home.id, **waited))
    assert (adopt(), adopt(), fetch_files()) == (1, 0, 1)
    assert db.session.scalars(select(ScheduledFetch)).all() == []
    (part,) = [message.body["parts"][0] for message in db.session.scalars(select(Message))]
    assert (part["text"], part["media"][0]["kind"]) == ("Figures", "photo")
    assert "caption" not in (db.session.scalars(select(ScheduleFire)).one().result or {})
