"""Kills while a file is fetched: its message goes out once, with the file, and nothing is left half done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.file_site import file_site
from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import DEMO_TOKEN

pytestmark = pytest.mark.slow

STEPS = ("files.claimed", "files.stored_not_recorded", "files.recorded_not_committed")


def plan(installation: Installation, chat: str, beginning: datetime, address: str) -> None:
    """Plans a document for each step, an hour apart, with its name as the caption."""
    given = {name: (beginning + timedelta(hours=number)).isoformat() for number, name in enumerate(STEPS, 1)}
    installation.python(
        f"""
        import json
        from datetime import datetime
        from backend.core import clock
        from backend.core.database import db, system_scope, workspace_scope
        from backend.models import Workspace
        from backend.services import scheduled_messages, senders
        from backend.services.auth.attribution import COMMAND_LINE
        with system_scope("test"):
            home = Workspace(name="Example", created_at=clock.now())
            db.session.add(home)
            senders.ensure_environment_sender("telegram_bot")
            db.session.commit()
        with workspace_scope(home.id):
            for name, moment in json.loads('''{json.dumps(given)}''').items():
                document = {{"url": "{address}", "caption": name}}
                at = datetime.fromisoformat(moment)
                fields = {{"bot_name": "default", "chat_ids": ["{chat}"], "kind": "once", "run_at": at}}
                scheduled_messages.create(COMMAND_LINE, fields | {{"document": document}})
            db.session.commit()
        """
    )


def test_a_kill_at_any_step_of_a_fetch_loses_no_file_and_doubles_none(installation: Installation) -> None:
    box = installation.box
    chat = str(box.group("Files", creator=box.person("Olu"), bots=[DEMO_TOKEN])["id"])
    installation.environment |= {"EGRESS_ALLOW_PRIVATE": "true"}

    def sent(name: str) -> int:
        return sum(name in (entry.get("text") or entry.get("caption") or "") for entry in box.accepted("sendDocument"))

    beginning = datetime.now(UTC)
    with file_site() as site:
        plan(installation, chat, beginning, f"{site.url}/a.png")
        installation.start_worker("jobs", name="jobs")
        installation.start_worker("dispatch", name="dispatch")
        for number, step in enumerate(STEPS, 1):
            installation.set_failpoints(f"{step} kill")
            # Less than the patience of the message, more than the claim of the process that dies.
            installation.set_clock(beginning + timedelta(hours=number, seconds=10))
            wait_for(lambda name=step: installation.hits(name), 60, f"a hit of {step}")  # type: ignore[misc]
            assert sent(step) == 0
            installation.set_failpoints()
            installation.move_clock(65)
            wait_for(lambda name=step: sent(name), 60, f"{step} to be sent")  # type: ignore[misc]
        wait_for(installation.settled, 20, "the records")
    assert {step: sent(step) for step in STEPS} == dict.fromkeys(STEPS, 1)
    assert box.accepted("sendMessage") == [], "none went out without its file"
    assert installation.rows("SELECT state, count(*) FROM file_fetches GROUP BY state") == [("stored", 3)]
    assert installation.rows("SELECT count(*) FROM files") == [(3,)]
