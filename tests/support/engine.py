"""Running the dispatch loop inside a test, and looking at what it left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from flask import Flask
from sqlalchemy import select

from backend.channels.base import Content
from backend.core.database import db
from backend.models import Conversation, Delivery, Message
from backend.services import delivery
from backend.services.dispatch.dispatcher import Dispatcher
from backend.services.dispatch.profile import BOTS, DispatchProfile
from tests.support.installation import PATIENCE


def say(chat: Conversation, text: str, **options: Any) -> Message:
    """Stores a message and commits."""
    message = delivery.send(chat, Content(text), kind="test", **options)
    db.session.commit()
    return message


def fresh(message: Message) -> Message:
    """The message as the database has it now."""
    db.session.rollback()
    return db.session.get_one(Message, message.id, populate_existing=True)


def left() -> list[Delivery]:
    """What still waits or is in flight."""
    return list(db.session.execute(select(Delivery).order_by(Delivery.id)).scalars())


def idle() -> bool:
    """Whether nothing is left."""
    return not left()


@contextmanager
def dispatching(app: Flask, connections: int = 8, profile: DispatchProfile = BOTS) -> Iterator[Dispatcher]:
    """A dispatch loop in a thread, stopped in good order at the end."""
    dispatcher = Dispatcher(app.app_context, no_files, profile=profile, connections=connections)
    loop = threading.Thread(target=dispatcher.run)
    loop.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        loop.join(60)
        assert not loop.is_alive()


def run_until(app: Flask, condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Runs a dispatch loop until the condition holds."""
    with dispatching(app):
        until(condition, seconds)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Waits for a condition on the database; each look is a fresh one. `seconds` as in `wait_for`."""
    pause = threading.Event()
    deadline = time.monotonic() + max(seconds, PATIENCE)
    while time.monotonic() < deadline:
        db.session.rollback()
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("the condition did not come true")


def no_files(key: str) -> BinaryIO:
    """These messages carry no files."""
    raise AssertionError(key)
