"""An account in outages: the database away, a process that stands still with its socket open, an old back-up restored.

What counts is the simulator's log: each message once, and one connection for a key at any time. `ACCOUNT_OUTAGE` says
how long an outage lasts in seconds; the long form, longer than a lease, is `bin/bench kills`.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.databases import migrate
from tests.support.installation import Installation, wait_for
from tests.support.servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.telegram_box import TelegramBox

pytestmark = pytest.mark.slow

ANN = "+12025550101"
OUTAGE = float(os.environ.get("ACCOUNT_OUTAGE", "2"))
PEOPLE = 6
API = {"api_id": "12345", "api_hash": "0" * 32}


@pytest.fixture
def box() -> Iterator[TelegramBox]:
    with TelegramBox(accounts=True) as made:
        made.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann"})
        for number in range(PEOPLE):
            made.control("POST", "/accounts", {"phone": phone(number), "first_name": f"Person{number}"})
        yield made


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    server.start()
    migrate(server.url)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def running(
    postgres: EmbeddedPostgres, box: TelegramBox, environment: dict[str, str], tmp_path: Path
) -> Iterator[Installation]:
    """Ann's account, connected by its code over the API, and the people as contacts."""
    valkey = EmbeddedValkey(tmp_path / "valkey", persist=False)
    valkey.start()
    made = Installation(environment | {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}, tmp_path)
    address = box.control("GET", "/mtproto")["server"]
    made.environment |= {"TELEGRAM_MTPROTO_SERVER": address, "TEST_ACCOUNT_PACE": "0.5"}
    try:
        made.start_web()
        made.register()
        start(made)
        wait_for(lambda: asks_for_code(made), 60, "the process of accounts")
        code = box.control("GET", f"/accounts/{ANN}/codes")["codes"][-1]["code"]
        body = {"phone": ANN, "code": code}
        made.api("POST", "/api/integrations/telegram/verify-code", body, status=200)
        wait_for(lambda: made.rows("SELECT 1 FROM accounts WHERE caught_up_at IS NOT NULL"), 60, "the account")
        for number in range(PEOPLE):
            person = {"first_name": f"Person{number}", "phone": phone(number), "timezone": "UTC"}
            made.api("POST", "/api/contacts", person, status=201)
        yield made
    finally:
        made.stop()
        valkey.stop()


def phone(number: int) -> str:
    return f"+1202555{2000 + number}"


def start(running: Installation) -> None:
    running.start_worker("jobs", name="jobs")
    running.start_worker("sessions", name="sessions")


def end(running: Installation) -> None:
    for name in ("jobs", "sessions", "web"):
        running.processes[name].terminate()
        running.processes.pop(name).wait(30)


def asks_for_code(running: Installation) -> bool:
    answer = running.api("POST", "/api/integrations/telegram/connect-user", {**API, "phone": ANN})
    return answer.get("status") == "code_required"


def launch(running: Installation, name: str, text: str) -> None:
    ids = [row[0] for row in running.rows("SELECT id FROM contacts ORDER BY id")]
    given = {
        "name": name,
        "audience": {"contact_ids": ids},
        "steps": [{"template": text}],
        "lawful_basis": {"basis": "contract", "note": "They ordered from us this year."},
    }
    campaign = running.api("POST", "/api/campaigns", given, status=201)["id"]
    preflight = running.api("POST", f"/api/campaigns/{campaign}/preflight", {}, status=200)
    body = {"preflight_id": preflight["id"], "accept_end_date": True}
    running.api("POST", f"/api/campaigns/{campaign}/launch", body, status=200)


def log_of(box: TelegramBox) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = box.control("GET", "/mtproto/log")["entries"]
    return entries


def accepted(box: TelegramBox) -> Counter[str]:
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)["entries"]
    return Counter(entry["text"] for entry in log if entry["outcome"] == "accepted")


def to_everybody(text: str) -> Counter[str]:
    return Counter(text.replace("{first_name}", f"Person{number}") for number in range(PEOPLE))


def duplicate_keys(box: TelegramBox) -> int:
    return sum(entry["outcome"] == "duplicate_key" for entry in log_of(box))


def test_the_database_away_costs_no_message_and_no_key(
    running: Installation, postgres: EmbeddedPostgres, box: TelegramBox
) -> None:
    launch(running, "Spring", "Hello {first_name}")
    wait_for(lambda: accepted(box).total() >= 2, 120, "the first messages")
    postgres.stop()
    time.sleep(OUTAGE)
    postgres.start()
    wait_for(lambda: accepted(box).total() >= PEOPLE, 180, "all messages")
    wait_for(lambda: ended(running), 60, "the end")
    assert accepted(box) == to_everybody("Hello {first_name}")
    assert duplicate_keys(box) == 0


def ended(running: Installation) -> bool:
    return running.rows("SELECT state FROM campaigns ORDER BY id DESC LIMIT 1") == [("finished",)]


def test_a_process_that_stands_still_leaves_its_key_to_the_next(running: Installation, box: TelegramBox) -> None:
    """Its socket stays open. For longer than a lease: another process connects, and finds no connection beside its
    own; what stood still goes on and writes nothing."""
    launch(running, "Spring", "Hello {first_name}")
    wait_for(lambda: accepted(box).total() >= 1, 120, "the first message")
    still = running.children("sessions")
    running.start_worker("sessions", name="standby")
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: running.stopped(still) == still, 10, "the process to stand still")
    time.sleep(OUTAGE)
    if OUTAGE > 80:
        wait_for(lambda: accepted(box).total() >= PEOPLE, 180, "its successor to send the rest")
    for pid in still:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: ended(running), 180, "the end")
    assert accepted(box) == to_everybody("Hello {first_name}")
    assert duplicate_keys(box) == 0


def test_an_old_backup_is_restored_and_the_next_campaign_reaches_everybody(
    running: Installation, postgres: EmbeddedPostgres, box: TelegramBox
) -> None:
    end(running)
    on_server(postgres, "CREATE DATABASE backup TEMPLATE switchboard")
    start(running)
    running.start_web()
    launch(running, "Spring", "Hello {first_name}")
    wait_for(lambda: ended(running), 180, "the end of the first campaign")
    end(running)
    on_server(postgres, "DROP DATABASE switchboard", "ALTER DATABASE backup RENAME TO switchboard")
    start(running)
    running.start_web()
    assert running.rows("SELECT id FROM campaigns") == []
    launch(running, "Summer", "Again, {first_name}")
    wait_for(lambda: ended(running), 180, "the end of the second campaign")
    assert accepted(box) == to_everybody("Hello {first_name}") + to_everybody("Again, {first_name}")
    states = running.rows("SELECT state, reason, count(*) FROM campaign_recipients GROUP BY state, reason")
    assert states == [("sent", "accepted", PEOPLE)]
    assert duplicate_keys(box) == 0


def on_server(postgres: EmbeddedPostgres, *statements: str) -> None:
    """Carries statements out while nobody else is connected to the product's database."""
    address = postgres.url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'switchboard'")
        for statement in statements:
            connection.execute(statement.encode())
