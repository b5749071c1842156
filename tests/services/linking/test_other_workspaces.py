"""The default bot serves every workspace: what a chat decides happens in the workspace of whom it concerns."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from backend.core.database import db, system_scope, workspace_scope
from backend.models import LinkConfirmation, Sender
from backend.services import linking, senders
from tests.support import factories
from tests.support.talking import Bot


def default_bot() -> Sender:
    made = senders.ensure_environment_sender("telegram_bot")
    assert made is not None
    made.username = "example_bot"
    db.session.commit()
    return made


def test_a_press_on_a_message_we_do_not_know_confirms_in_the_workspace_that_asked(app: Flask) -> None:
    """Telegram got the question and we died before recording its id; or a client that makes ids up."""
    factories.workspace()
    bot = Bot(default_bot())
    second = factories.user()
    db.session.commit()
    bot.says("hello", at=None)
    with workspace_scope(second.workspace_id):
        token = linking.issue(factories.by("test"), second, bot.sender).token
        assert linking.verify(factories.by("test"), second, token, "5001").linked is False
        db.session.commit()
    with system_scope("a test"):
        asked = db.session.execute(select(LinkConfirmation)).scalar_one()
    bot.press(f"link:confirm:{asked.id}", message_id="999999")
    with workspace_scope(second.workspace_id):
        assert linking.link_of(second.id, bot.sender.id) is not None
        assert linking.verify(factories.by("test"), second, token, "5001").linked is True
