"""The Retry button: where it stands, and what a press does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from backend.channels.inbound import ButtonPressed
from backend.core.database import db, system_scope
from backend.models import AuditEntry, OutgoingDelivery, Sender, TelegramLink, User
from backend.services import notifications, outgoing_webhooks, posts
from backend.services.notifications import press
from tests.services.posts.conftest import Author
from tests.support import factories
from tests.support.talking import private, somebody


def failed(author: Author) -> Any:
    post = author.post("x")
    author.publish()
    posts.report_result(factories.by("token:1"), post.id, "failed", error="No")
    db.session.commit()
    return author.fresh(post)


def offered(author: Author) -> list[str]:
    """The callback data of the newest notification's buttons."""
    rows = author.messages("notification")[-1].body["parts"][-1].get("buttons", [])
    return [button["data"] for row in rows for button in row if "data" in button]


def pressing(link: TelegramLink, data: str) -> None:
    with system_scope("the drain serves all workspaces"):
        bot = db.session.get_one(Sender, link.sender_id)
        assert press(bot, ButtonPressed(callback_id="1", person=somebody(), chat=private(), message_id=None, data=data))
        db.session.commit()


def host_failure(person: User, **data: Any) -> int:
    event = notifications.report(
        factories.by("token:1"), "post_failure", person, {"platform": "x", "error": "No"} | data
    )
    db.session.commit()
    return event.id


def requests() -> list[OutgoingDelivery]:
    rows = db.session.scalars(select(OutgoingDelivery).where(OutgoingDelivery.type == "post.retry_requested"))
    return list(rows)


def test_a_failed_post_of_ours_is_published_again(author: Author, host: int, link: TelegramLink) -> None:
    post = failed(author)
    [data] = [one for one in offered(author) if "retry" in one]
    pressing(link, data)
    assert author.state(post) == ("scheduled", "queued")
    author.publish()
    assert author.fresh(post).attempts == 2
    pressing(link, data)
    assert author.fresh(post).attempts == 2, "pressed again: it is under way"
    assert requests() == []
    with system_scope("test"):
        actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "telegram")).all()
    assert actions.count("post.retry_requested") == 1


def test_a_failure_that_the_host_reported_is_asked_of_the_host_once(
    author: Author, host: int, link: TelegramLink
) -> None:
    event_id = host_failure(author.person, post_id="a-host-id")
    assert f"notify:retry:{event_id}" in offered(author)
    pressing(link, f"notify:retry:{event_id}")
    pressing(link, f"notify:retry:{event_id}")
    [request] = requests()
    assert '"post_id":"a-host-id"' in request.body
    assert f'"event_id":{event_id}' in request.body


def test_without_a_way_there_is_no_button(author: Author, link: TelegramLink) -> None:
    host_failure(author.person)
    assert not any("retry" in data for data in offered(author))


def test_another_persons_post_is_not_published(author: Author, host: int, link: TelegramLink, news: Sender) -> None:
    from tests.support import factories

    other = Author(author.app, factories.user(db.session.merge(_home(author)), locale="en"))
    post = failed(other)
    event_id = host_failure(author.person, post_id=post.id)
    pressing(link, f"notify:retry:{event_id}")
    assert author.state(post)[0] == "failed"
    assert len(requests()) == 1, "to us it is an id of the host's"


def test_a_post_whose_publisher_is_gone_offers_no_retry(author: Author, host: int, link: TelegramLink) -> None:
    post = author.post("x")
    author.publish()
    outgoing_webhooks.remove(factories.by("user:1"), host)
    posts.report_result(factories.by("token:1"), post.id, "failed")
    db.session.commit()
    assert not any("retry" in data for data in offered(author))


def _home(author: Author) -> Any:
    from backend.models import Workspace

    with system_scope("test"):
        return db.session.get_one(Workspace, author.person.workspace_id)
