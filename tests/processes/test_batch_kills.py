"""A worker that works off hundreds of updates in batches is killed at a step, and some updates cannot be read.

Judged by the rows: every update has ended, each message is stored once and in its conversation's order, and only what
cannot be read is parked, while those behind it in its conversation went on.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

CHATS = 40
UPDATES = 260
UNREADABLE = (70, 215)
KILLS = 1

STORE = f"""
import json
from backend.core.database import db
from backend.models import Workspace
from backend.core import clock
from backend.core.database import system_scope
from backend.services import intake, senders
with system_scope("a test"):
    db.session.add(Workspace(name="Example", created_at=clock.now()))
    db.session.commit()
    sender = senders.ensure_environment_sender("telegram_bot")
    sender.workspace_id = db.session.query(Workspace.id).scalar()
    db.session.commit()
    for number in range({UPDATES}):
        chat = 600_000 + number % {CHATS}
        message = {{
            "message_id": number + 1, "date": 1767225600, "text": f"number {{number}}",
            "chat": {{"id": chat, "type": "private", "first_name": "Sam"}},
            "from": {{"id": chat, "is_bot": False, "first_name": "Sam"}},
        }}
        intake.store(sender, json.dumps({{"update_id": number + 1, "message": message}}).encode())
    db.session.commit()
"""


def numbers(installation: Installation, query: str, *values: Any) -> list[Any]:
    return [row[0] for row in installation.rows(query, *values)]


def all_ended(installation: Installation) -> bool:
    """Whether no update waits. Else a second more passes: what failed waits before it is tried again."""
    ended = installation.rows("SELECT 1 FROM webhook_events WHERE state = 'new' LIMIT 1") == []
    if not ended:
        installation.move_clock(1)
    return ended


@pytest.mark.parametrize(
    "failpoint", ["intake.stored_not_processed", "intake.claimed", "intake.processed_not_committed"]
)
def test_a_drain_in_batches_that_is_killed_loses_and_doubles_nothing(
    installation: Installation, failpoint: str
) -> None:
    installation.python(STORE)
    events = numbers(installation, "SELECT id FROM webhook_events ORDER BY id")
    unreadable = [events[place] for place in UNREADABLE]
    installation.rows("UPDATE webhook_events SET body_encrypted = 'x' WHERE id = ANY(%s) RETURNING id", unreadable)
    installation.set_failpoints(f"{failpoint} kill")
    installation.start_worker("intake")
    wait_for(lambda: installation.hits(failpoint) >= KILLS, 120, f"hits of {failpoint}")
    installation.set_failpoints()
    wait_for(lambda: all_ended(installation), 240, "every update to end")
    assert installation.hits(failpoint) >= KILLS
    assert numbers(installation, "SELECT id FROM webhook_events WHERE state = 'parked' ORDER BY id") == unreadable
    for chat in range(CHATS):
        stored = numbers(
            installation,
            "SELECT m.external_id::int FROM messages m"
            " WHERE m.direction = 'in' AND mod(m.external_id::int - 1, %s) = %s ORDER BY m.id",
            CHATS,
            chat,
        )
        of_chat = [number + 1 for number in range(chat, UPDATES, CHATS) if number not in UNREADABLE]
        assert stored == of_chat
    # The inbox follows in the same transaction: as many are unread as were stored, and everybody has one contact.
    assert numbers(installation, "SELECT sum(unread_count)::int FROM conversations") == [UPDATES - len(UNREADABLE)]
    assert numbers(installation, "SELECT count(*)::int FROM contacts") == [CHATS]
    assert numbers(installation, "SELECT count(*)::int FROM identities WHERE contact_id IS NULL") == [0]
    assert numbers(installation, "SELECT count(*)::int FROM message_words") == [UPDATES - len(UNREADABLE)]
