"""A person with a linked chat, a bot with a channel, a host application that listens, and Meta as a scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import config
from backend.core.database import db, workspace_scope
from backend.core.work import Turn
from backend.models import (
    Message,
    NotificationEvent,
    OutgoingDelivery,
    Post,
    PostAttempt,
    Sender,
    TelegramLink,
    User,
    Workspace,
)
from backend.services import outgoing_webhooks, posts
from backend.services.posts import Place
from tests.channels.scripted_server import ScriptedServer, scripted_server
from tests.support import engine, factories
from tests.support.fake_channel import FakeChannel

TOKEN = "EXAMPLE-not-a-real-page-token"
PUBLIC = "https://93.184.216.34/a.jpg"


@pytest.fixture
def channel(app: Flask) -> FakeChannel:
    return FakeChannel(part_chars=4096).install()


@pytest.fixture
def home(channel: FakeChannel) -> Iterator[Workspace]:
    """The instance's first workspace, in scope."""
    made = factories.workspace()
    with workspace_scope(made.id):
        yield made


@pytest.fixture
def person(home: Workspace) -> User:
    return factories.user(home, locale="en", name="Ada")


@pytest.fixture
def link(home: Workspace, person: User) -> TelegramLink:
    """The person's chat with the default bot."""
    return factories.link(person, factories.bot(home, source="environment"))


@pytest.fixture
def news(home: Workspace) -> Sender:
    """A bot with one channel."""
    return factories.bot(home, name="news", chat_ids=("-1001234567890",))


@pytest.fixture
def host(home: Workspace) -> int:
    """A host application that listens to everything about posts; nothing is sent there by these tests."""
    made, _ = outgoing_webhooks.create(factories.by("user:1"), "https://93.184.216.34/hooks", ["post.*"])
    return made.id


@pytest.fixture
def meta(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The Graph API, with a token in the environment."""
    with scripted_server() as server:
        changes = {"meta_graph_url": server.url, "meta_page_access_token": TOKEN}
        monkeypatch.setattr(config, "_current", config.get().model_copy(update=changes))
        yield server


@dataclass
class Author:
    """Makes posts of one person and looks at what becomes of them."""

    app: Flask
    person: User
    made: list[Post] = field(default_factory=list)

    def post(self, platform: str = "telegram", content: str = "Hello", media: Any = (), **options: Any) -> Post:
        """A stored post."""
        target = options.pop("target", {"bot_name": "news"} if platform == "telegram" else {})
        place = Place(platform, target, options.pop("publisher", None))
        made = posts.create(factories.by("user:1"), self.person, place, content, media, **options)
        db.session.commit()
        return made

    def publish(self, seconds: float = 5.0) -> int:
        """Lets the job run once."""
        db.session.commit()
        return posts.publish_due(Turn(seconds))

    def said(self) -> None:
        """Lets the dispatch loop say what waits, and the job see it."""
        db.session.commit()
        engine.run_until(self.app, engine.idle)
        self.publish()

    def fresh(self, post: Post) -> Post:
        """The post as the database has it now."""
        db.session.rollback()
        return db.session.get_one(Post, post.id, populate_existing=True)

    def state(self, post: Post) -> tuple[str, str | None]:
        """State and reason now."""
        found = self.fresh(post)
        return found.state, found.reason

    def phases(self, post: Post) -> list[tuple[int, str, str | None]]:
        """What was begun and what came of it."""
        rows = db.session.scalars(select(PostAttempt).where(PostAttempt.post_id == post.id).order_by(PostAttempt.id))
        return [(row.number, row.phase, row.code) for row in rows]

    def told(self) -> list[tuple[str, dict[str, Any], str]]:
        """What the person was told: type, data, decision."""
        rows = db.session.scalars(select(NotificationEvent).order_by(NotificationEvent.id))
        return [(row.type, row.data, row.decision) for row in rows]

    def asked(self) -> list[OutgoingDelivery]:
        """What the host application is asked."""
        return list(db.session.scalars(select(OutgoingDelivery).order_by(OutgoingDelivery.id)))

    def messages(self, kind: str = "post") -> list[Message]:
        """What is said in channels."""
        return list(db.session.scalars(select(Message).where(Message.kind == kind).order_by(Message.id)))


@pytest.fixture
def author(app: Flask, person: User) -> Author:
    return Author(app, person)


Write = Callable[..., Post]
