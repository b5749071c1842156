"""A campaign whose processes are killed at every step of its way: each recipient gets it exactly once.

The pace is relaxed, which the simulator alone allows. `CAMPAIGN_KILLS` says how many kills each failpoint gets; the
long form is `bin/bench kills`. What counts is the simulator's log.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import requests
from flask import Flask

from backend.channels.inbound import Person
from backend.channels.telegram_user import lookups as asking
from backend.channels.telegram_user import server, session_text
from backend.channels.telegram_user.connection import AccountConnection
from backend.channels.telegram_user.logins import Application, CodeSent, LoggedIn, send_code, sign_in
from backend.core import failpoints
from backend.core.database import db, workspace_scope
from backend.models import User, Workspace
from backend.services import conversations
from backend.services.accounts import peers
from backend.services.contacts import records
from tests.support import accounts, factories
from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import TelegramBox

pytestmark = pytest.mark.slow

ANN = "+12025550101"
KILLS = int(os.environ.get("CAMPAIGN_KILLS", "1"))
PACE_SECONDS = "0.2"
TO_LOOK_UP = 1
OTHERS = {"sessions.login_answered", "delivery.inserted_not_woken"}
"""Nobody logs in, and the second stands where a process that has woken nobody dies: `test_crashes` has it."""
LAUNCH = "campaign.launched_not_committed"
OF_LAUNCH = ("sessions.lookup_answered", LAUNCH)
"""Hit by look-ups, which are few, and by the request that launches."""
ON_THE_WAY = [
    name
    for name in failpoints.NAMES
    if name.startswith(("campaign.", "delivery.", "sessions.")) and name not in OTHERS and name not in OF_LAUNCH
]
PEOPLE = TO_LOOK_UP + 4 * KILLS + (2 if KILLS == 1 else 2 * len(ON_THE_WAY))
"""A process that is killed after a commit has finished with a person, so that the next kill takes another."""


@pytest.fixture
def box() -> Iterator[TelegramBox]:
    with TelegramBox(accounts=True) as made:
        made.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann"})
        for number in range(PEOPLE):
            made.control("POST", "/accounts", {"phone": phone(number), "first_name": name(number)})
        yield made


def phone(number: int) -> str:
    return f"+1202555{2000 + number}"


def name(number: int) -> str:
    return f"Person{number}"


@pytest.fixture
def running(app: Flask, installation: Installation, box: TelegramBox) -> Installation:
    """Ann's account, connected by somebody who is signed in; it has met all but a few of the people."""
    address = box.control("GET", "/mtproto")["server"]
    installation.environment |= {"TELEGRAM_MTPROTO_SERVER": address, "TEST_ACCOUNT_PACE": PACE_SECONDS}
    installation.start_web()
    installation.register()
    application = Application(12345, "0" * 32, "Switchboard on test", "1", address)
    logged_in, met = asyncio.run(_log_in_and_meet(application, box, [phone(n) for n in range(TO_LOOK_UP, PEOPLE)]))
    home, owner = installation.rows("SELECT workspace_id, id FROM users")[0]
    with workspace_scope(home):
        workspace, person = db.session.get_one(Workspace, home), db.session.get_one(User, owner)
        account = accounts.account(workspace, person, logged_in.user_id, logged_in.session)
        for number in range(TO_LOOK_UP):
            records.create(
                factories.by("user:1"), {"first_name": name(number), "phone": phone(number), "timezone": "UTC"}
            )
        for number, found in enumerate(met, TO_LOOK_UP):
            known = {"first_name": name(number), "telegram_user_id": str(found.id), "timezone": "UTC"}
            records.create(factories.by("user:1"), known)
            identity = conversations.identity_of(
                "telegram_user", Person(str(found.id), name(number)), workspace_id=home
            )
            peers.remember(account.sender_id, home, identity.id, found.access_hash, "phone")
        db.session.commit()
    installation.start_worker("jobs", name="jobs")
    installation.start_worker("sessions", name="sessions")
    return installation


async def _log_in_and_meet(
    application: Application, box: TelegramBox, phones: Sequence[str]
) -> tuple[LoggedIn, list[Any]]:
    sent = await send_code(application, ANN)
    assert isinstance(sent, CodeSent)
    code = box.control("GET", f"/accounts/{ANN}/codes")["codes"][-1]["code"]
    logged_in = await sign_in(application, sent.session, ANN, sent.code_hash, code)
    server.trust_key(application.server)
    connection = AccountConnection(
        session_text.load(logged_in.session),
        application.api_id,
        device=application.device,
        version=application.version,
        may_write=lambda: True,
        on_push=lambda update: None,
    )
    await connection.connect()
    try:
        return logged_in, [(await asking.by_phone(connection, one, add_to_contacts=False)).person for one in phones]
    finally:
        await connection.disconnect()


def drafted(running: Installation) -> tuple[str, dict[str, Any]]:
    """A campaign to everybody: the path of its launch, and the body."""
    ids = [row[0] for row in running.rows("SELECT id FROM contacts ORDER BY id")]
    given = {
        "name": "Spring",
        "audience": {"contact_ids": ids},
        "steps": [{"template": "Hello {first_name}!"}],
        "lawful_basis": {"basis": "contract", "note": "They ordered from us this year."},
    }
    campaign = running.api("POST", "/api/campaigns", given, status=201)["id"]
    preflight = running.api("POST", f"/api/campaigns/{campaign}/preflight", {}, status=200)
    return f"/api/campaigns/{campaign}/launch", {"preflight_id": preflight["id"], "accept_end_date": True}


def states(running: Installation) -> Counter[tuple[str, str]]:
    return Counter(running.rows("SELECT state, reason FROM campaign_recipients"))


def has_hits(running: Installation, failpoint: str, number: int) -> bool:
    return running.hits(failpoint) >= number


def is_nothing_begun(running: Installation) -> bool:
    return running.rows("SELECT id FROM deliveries WHERE attempts > 0") == []


def accepted(box: TelegramBox) -> Counter[str]:
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)["entries"]
    return Counter(entry["text"] for entry in log if entry["outcome"] == "accepted")


def test_a_kill_at_every_step_of_a_campaign_writes_to_each_person_once(
    running: Installation, box: TelegramBox, capsys: pytest.CaptureFixture[str]
) -> None:
    path, body = drafted(running)
    running.set_failpoints(f"{LAUNCH} kill")
    for number in range(KILLS):
        with pytest.raises(requests.ConnectionError):
            running.api("POST", path, body)
        assert running.hits(LAUNCH) == number + 1
        assert states(running) == Counter()
        running.wait_for_web()
    running.set_failpoints("sessions.lookup_answered kill")
    running.api("POST", path, body, status=200)
    wait_for(lambda: running.hits("sessions.lookup_answered") >= KILLS, 60 * KILLS, "kills of a look-up")
    for failpoint in ON_THE_WAY:
        running.set_failpoints(f"{failpoint} kill")
        for number in range(1, KILLS + 1):
            if failpoint.startswith("sessions."):
                box.control("POST", f"/accounts/{ANN}/cut", {})
            wait_for(partial(has_hits, running, failpoint, number), 60, f"kill {number} at {failpoint}")
        if KILLS > 1:  # many tries of one message are its end
            running.set_failpoints()
            wait_for(partial(is_nothing_begun, running), 60, "what has begun to be sent")
    running.set_failpoints()
    wait_for(lambda: not {"waiting", "sending"} & {state for state, _ in states(running)}, 60 + 8 * PEOPLE, "the end")
    written = accepted(box)
    once = [written[f"Hello {name(number)}!"] for number in range(PEOPLE)].count(1)
    every = (*OF_LAUNCH, *ON_THE_WAY)
    kills = sum(running.hits(point) for point in every)
    with capsys.disabled():
        print(f"\nkills {kills}, failpoints {len(every)}, people {PEOPLE}, written to once {once}")
    assert written == Counter(f"Hello {name(number)}!" for number in range(PEOPLE))
    assert states(running) == Counter({("sent", "accepted"): PEOPLE})
    assert [point for point in every if running.hits(point) < KILLS] == []
    log = box.control("GET", "/mtproto/log")["entries"]
    assert not [entry for entry in log if entry["outcome"] == "duplicate_key"]
    wait_for(lambda: running.rows("SELECT state FROM campaigns") == [("finished",)], 30, "the campaign to end")
