"""Schedules over a simulated week: three sets of workers, clocks set forward and back, a day in which nothing ran.

Judged by what Telegram accepted and by the fires in the database: each moment once, and none that was never due.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import DEMO_TOKEN

pytestmark = pytest.mark.slow

WORKERS = ("one", "two", "three")
BEGINNING = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
"""Berlin's clocks go forward on the 28th at 01:00 UTC, Sydney's go back on 3 April at 16:00 UTC."""


def at(value: str) -> datetime:
    return datetime.fromisoformat(f"2027-{value}Z")


DAYS = [BEGINNING.replace(hour=0) + timedelta(days=number) for number in range(1, 9)]

PLANS: dict[str, dict[str, Any]] = {
    "berlin": {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "sydney": {"kind": "cron", "cron": "30 2 * * *", "timezone": "Australia/Sydney"},
    "seoul": {"kind": "cron", "cron": "0 9 * * *", "timezone": "Asia/Seoul"},
    "once": {"kind": "once", "run_at": "2027-03-31T10:00:00+00:00"},
    "daily": {"kind": "interval", "interval_seconds": 86_400, "run_at": "2027-03-28T12:00:00+00:00"},
}
EXPECTED: dict[str, list[datetime]] = {
    # 02:30 does not exist on the 28th: the end of the gap
    "berlin": [at("03-28 01:00"), *(day + timedelta(minutes=30) for day in DAYS[1:])],
    # 02:30 comes twice on 4 April: the first
    "sydney": [day - timedelta(hours=8, minutes=30) for day in DAYS],
    "seoul": DAYS,
    "once": [at("03-31 10:00")],
    "daily": [day + timedelta(hours=12) for day in DAYS],
}
GONE, BACK = at("03-31 00:15"), at("04-01 00:15")
"""Nothing runs in between."""
STEPS = sorted(
    [BEGINNING + timedelta(hours=12 * number, minutes=15) for number in range(17)]
    + [at("03-28 00:45"), at("03-28 01:15"), at("04-03 15:45"), at("04-03 16:45")]
)


@pytest.fixture
def chats(installation: Installation) -> dict[str, str]:
    """A group for each plan, in a workspace that knows them."""
    installation.set_clock(BEGINNING)
    owner = installation.box.person("Owner")
    return {
        name: str(installation.box.group(name, creator=owner, bots=[DEMO_TOKEN])["id"]) for name in (*PLANS, *KILLED)
    }


def plan(installation: Installation, chats: dict[str, str], plans: dict[str, dict[str, Any]]) -> None:
    """Plans one message for each, whose words are its name: a text unless it is planned as something else."""
    given = json.dumps(
        {
            name: fields
            | {"chat_ids": [chats[name]]}
            | ({} if {"alert", "document"} & fields.keys() else {"message": name})
            for name, fields in plans.items()
        }
    )
    installation.python(
        f"""
        import json
        from datetime import datetime
        from backend.core import clock
        from backend.core.database import db, system_scope, workspace_scope
        from backend.models import Workspace
        import io
        from backend.services import files, scheduled_messages, senders
        from backend.services.auth.attribution import COMMAND_LINE
        with system_scope("test"):
            home = Workspace(name="Example", created_at=clock.now())
            db.session.add(home)
            senders.ensure_environment_sender("telegram_bot")
            db.session.commit()
        with workspace_scope(home.id):
            for fields in json.loads('''{given}''').values():
                moment = fields.get("run_at")
                fields["run_at"] = datetime.fromisoformat(moment) if moment else None
                if "document" in fields:
                    file = files.upload(COMMAND_LINE, "a.txt", io.BytesIO(b"figures"))
                    fields["document"]["file_id"] = file.id
                scheduled_messages.create(COMMAND_LINE, fields)
            db.session.commit()
        """
    )


def fired(installation: Installation) -> dict[str, list[datetime]]:
    """The moments of each plan's fires that were carried out, by its words."""
    found: dict[str, list[datetime]] = {}
    query = (
        "SELECT m.message, f.fire_at FROM schedule_fires f JOIN schedules s ON s.id = f.schedule_id"
        " JOIN scheduled_messages m ON m.id = s.subject_id WHERE f.state = 'done' ORDER BY f.fire_at"
    )
    for name, moment in installation.rows(query):
        found.setdefault(name, []).append(moment.astimezone(UTC))
    return found


def said(installation: Installation) -> Counter[str]:
    return Counter(entry["text"] for entry in installation.box.accepted("sendMessage"))


def start_workers(installation: Installation) -> None:
    for name in WORKERS:
        installation.start_worker(name=name)


def kill_workers(installation: Installation) -> None:
    """As when the machine loses its power: no process of theirs is left."""
    for name in WORKERS:
        installation.kill(name)


def test_each_moment_of_a_week_is_said_once(
    installation: Installation, chats: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    plan(installation, chats, PLANS)
    start_workers(installation)
    for moment in STEPS:
        installation.set_clock(moment)
        if moment == GONE + timedelta(hours=12):
            continue
        if moment == BACK:
            start_workers(installation)
        due = {name: [one for one in times if one <= moment] for name, times in EXPECTED.items()}
        due = {name: times for name, times in due.items() if times}
        wait_for(lambda due=due: fired(installation) == due, 60, f"what is due at {moment}: {due}")  # type: ignore[misc]
        # What is said a whole day late expires, and here a day takes seconds.
        wait_for(installation.settled, 30, f"everything to be said at {moment}")
        if moment == GONE:
            kill_workers(installation)
    wait_for(installation.settled, 20, "everything to be said")
    became = installation.rows("SELECT state, error, count(*) FROM messages GROUP BY state, error")
    assert said(installation) == {name: len(times) for name, times in EXPECTED.items()}, became
    missed = installation.rows("SELECT count(*) FROM schedule_fires WHERE state <> 'done' OR missed_since IS NOT NULL")
    assert missed == [(0,)], "no plan had two moments in that day"
    with capsys.disabled():
        print(f"\na week: {sum(said(installation).values())} messages of {len(PLANS)} plans, each moment once")


KILLED = {
    "scheduling.claimed": "the fires are inserted, not committed",
    "scheduling.fired_not_committed": "the same, after the job's own rows",
    "scheduling.taken": "the fire is stored, its message is not",
    "scheduling.carried_out_not_committed": "the message is inserted, not committed",
}


def test_a_kill_between_the_claim_and_the_effect_loses_none_and_doubles_none(
    installation: Installation, chats: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    moments = {name: BEGINNING + timedelta(hours=number) for number, name in enumerate(KILLED, 1)}
    plans = {name: {"kind": "once", "run_at": moment.isoformat()} for name, moment in moments.items()}
    plan(installation, chats, plans)
    installation.start_worker("jobs", name="jobs")
    installation.start_worker("dispatch", name="dispatch")
    for failpoint, moment in moments.items():
        installation.set_failpoints(f"{failpoint} kill")
        installation.set_clock(moment + timedelta(seconds=10))
        installation.wait_for_hit(failpoint, 0)
        assert failpoint not in said(installation)
        installation.set_failpoints()
        wait_for(lambda name=failpoint: said(installation)[name], 30, f"{failpoint} to be said")  # type: ignore[misc]
    wait_for(installation.settled, 20, "the records")
    assert said(installation) == dict.fromkeys(KILLED, 1)
    assert fired(installation) == {name: [moment] for name, moment in moments.items()}
    with capsys.disabled():
        kills = sum(installation.hits(name) for name in KILLED)
        print(f"\n{kills} kills between claim and effect: 0 lost, 0 doubled")


@pytest.mark.parametrize("kind", ["alert", "document"])
def test_a_kill_loses_no_alert_and_no_file_and_doubles_none(
    installation: Installation, chats: dict[str, str], kind: str
) -> None:
    moments = {name: BEGINNING + timedelta(hours=number) for number, name in enumerate(KILLED, 1)}
    content = {"alert": lambda name: {"title": name}, "document": lambda name: {"caption": name}}[kind]
    plans = {
        name: {"bot_name": "default", "kind": "once", "run_at": moment.isoformat(), kind: content(name)}
        for name, moment in moments.items()
    }
    plan(installation, chats, plans)
    installation.start_worker("jobs", name="jobs")
    installation.start_worker("dispatch", name="dispatch")

    def sent(name: str) -> int:
        found = installation.box.accepted("sendMessage" if kind == "alert" else "sendDocument")
        return sum(name in (entry.get("text") or entry.get("caption") or "") for entry in found)

    for failpoint, moment in moments.items():
        installation.set_failpoints(f"{failpoint} kill")
        installation.set_clock(moment + timedelta(seconds=10))
        installation.wait_for_hit(failpoint, 0)
        assert sent(failpoint) == 0
        installation.set_failpoints()
        wait_for(lambda name=failpoint: sent(name), 30, f"{failpoint} to be sent")  # type: ignore[misc]
    wait_for(installation.settled, 20, "the records")
    assert {name: sent(name) for name in KILLED} == dict.fromkeys(KILLED, 1)
    assert installation.rows("SELECT count(*) FROM schedule_fires WHERE state = 'done'") == [(len(KILLED),)]
    assert installation.rows("SELECT count(*) FROM alerts") == [(len(KILLED) if kind == "alert" else 0,)]
