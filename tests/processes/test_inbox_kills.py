"""Mixed traffic of four channels into the inbox, killed at a step: nothing is lost, doubled or counted twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

PEOPLE = 6
MESSAGES = 5
"""Of each person on each channel; each of Meta's people also reacts to their last message."""

STORE = f"""
import json
from backend.core.database import db
from backend.models import Sender, Workspace
from backend.core import clock
from backend.core.database import system_scope
from backend.services import intake, senders

def whatsapp(person, number, reaction):
    message = {{"from": f"49151000{{person:04}}", "id": f"wamid.{{person}}.{{number}}"}}
    message["timestamp"] = str(1767225600 + number)
    if reaction:
        message |= {{"id": f"wamid.r{{person}}", "type": "reaction",
                    "reaction": {{"message_id": f"wamid.{{person}}.{{number}}", "emoji": "+"}}}}
    else:
        message |= {{"type": "text", "text": {{"body": f"number {{number}}"}}}}
    value = {{"messaging_product": "whatsapp", "metadata": {{"phone_number_id": "pn1"}}, "messages": [message],
             "contacts": [{{"wa_id": f"49151000{{person:04}}", "profile": {{"name": "Sam Example"}}}}]}}
    changes = [{{"field": "messages", "value": value}}]
    return {{"object": "whatsapp_business_account", "entry": [{{"id": "waba", "changes": changes}}]}}

def page(kind, owner):
    def body(person, number, reaction):
        event = {{"sender": {{"id": f"{{owner}}7{{person:04}}"}}, "recipient": {{"id": owner}}}}
        event["timestamp"] = 1767225600000 + number * 1000
        mid = f"m_{{owner}}_{{person}}_{{number}}"
        if reaction:
            event["reaction"] = {{"mid": mid, "action": "react", "emoji": "+", "reaction": "other"}}
        else:
            event["message"] = {{"mid": mid, "text": f"number {{number}}"}}
        return {{"object": kind, "entry": [{{"id": owner, "time": event["timestamp"], "messaging": [event]}}]}}
    return body

def telegram(person, number, reaction):
    chat = {{"id": 600000 + person, "type": "private", "first_name": "Sam"}}
    message = {{"message_id": person * 100 + number + 1, "date": 1767225600 + number, "text": f"number {{number}}",
               "chat": chat, "from": {{"id": chat["id"], "is_bot": False, "first_name": "Sam"}}}}
    return {{"update_id": person * 100 + number + 1, "message": message}}

with system_scope("a test"):
    db.session.add(Workspace(name="Example", created_at=clock.now()))
    db.session.commit()
    home = db.session.query(Workspace.id).scalar()
    bot = senders.ensure_environment_sender("telegram_bot")
    bot.workspace_id = home
    traffic = [(bot, telegram, False)]
    for channel, external_id, body in (
        ("whatsapp", "pn1", whatsapp),
        ("messenger", "9001", page("page", "9001")),
        ("instagram", "9002", page("instagram", "9002")),
    ):
        made = Sender(workspace_id=home, channel=channel, source="database", name=channel, external_id=external_id,
                      created_at=clock.now())
        made.credentials = "a-token"
        db.session.add(made)
        db.session.flush()
        traffic.append((made, body, True))
    db.session.commit()
    for number in range({MESSAGES}):
        for person in range({PEOPLE}):
            for sender, body, _ in traffic:
                intake.store(sender, json.dumps(body(person, number, False)).encode())
    for person in range({PEOPLE}):
        for sender, body, reacts in traffic:
            if reacts:
                intake.store(sender, json.dumps(body(person, {MESSAGES} - 1, True)).encode())
    db.session.commit()
"""


def counted(installation: Installation, query: str) -> list[Any]:
    return [tuple(row) for row in installation.rows(query)]


def all_ended(installation: Installation) -> bool:
    """Whether nothing waits. Else a second more passes: what failed waits before it is tried again."""
    ended = installation.rows(
        "SELECT 1 FROM webhook_events WHERE state = 'new' UNION ALL SELECT 1 FROM pending_receipts LIMIT 1"
    )
    if ended:
        installation.move_clock(1)
    return ended == []


@pytest.mark.parametrize(
    "failpoint", ["intake.stored_not_processed", "intake.claimed", "intake.processed_not_committed"]
)
def test_mixed_traffic_that_is_killed_ends_in_the_same_threads(installation: Installation, failpoint: str) -> None:
    installation.python(STORE)
    # The first for certain: what comes in one batch is one chance.
    installation.set_failpoints(f"{failpoint} kill")
    installation.start_worker("intake")
    wait_for(lambda: installation.hits(failpoint) >= 1, 120, f"hits of {failpoint}")
    installation.set_failpoints(f"{failpoint}@0.05 kill")
    wait_for(lambda: installation.hits(failpoint) >= 2 or all_ended(installation), 120, "a second one, or the end")
    installation.set_failpoints()
    wait_for(lambda: all_ended(installation), 240, "everything to end")
    channels = ["instagram", "messenger", "telegram_bot", "whatsapp"]
    assert counted(
        installation,
        "SELECT c.channel, count(*)::int, count(DISTINCT m.external_id)::int FROM messages m"
        " JOIN conversations c ON c.id = m.conversation_id WHERE m.direction = 'in' AND m.kind = 'text'"
        " GROUP BY c.channel ORDER BY c.channel",
    ) == [(channel, PEOPLE * MESSAGES, PEOPLE * MESSAGES) for channel in channels]
    assert counted(
        installation,
        "SELECT channel, count(*)::int, min(unread_count)::int, max(unread_count)::int FROM conversations"
        " WHERE in_inbox AND status = 'open' GROUP BY channel ORDER BY channel",
    ) == [(channel, PEOPLE, MESSAGES, MESSAGES) for channel in channels]
    assert counted(installation, "SELECT count(*)::int, count(contact_id)::int FROM identities") == [
        (4 * PEOPLE, 4 * PEOPLE)
    ]
    assert counted(installation, "SELECT count(*)::int FROM message_reactions") == [(3 * PEOPLE,)]
    assert counted(installation, "SELECT count(*)::int FROM webhook_events WHERE state = 'parked'") == [(0,)]
