"""SIGKILL at each step of an import of contacts and of its undo: no half rows, none twice, nothing left behind."""

from __future__ import annotations

import pytest

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

ROWS = 3_300
PATIENCE = 60
STEPS = ("contacts.batch_not_committed", "contacts.batch_committed")


def state_of(installation: Installation, import_id: int) -> str:
    shown = installation.api("GET", f"/api/contacts/imports/{import_id}", status=200)
    assert shown["state"] != "failed", shown
    return str(shown["state"])


def wait_for_state(installation: Installation, import_id: int, state: str) -> None:
    wait_for(lambda: state_of(installation, import_id) == state, PATIENCE, f"the import to be {state}")


def kill_at(installation: Installation, step: str, seen: dict[str, int]) -> None:
    """Lets a process die at a step, and a minute pass, after which its claim is over. `seen` are the hits so far: one
    may have come before this is called."""
    installation.set_failpoints(f"{step} kill")
    wait_for(lambda: installation.hits(step) > seen.get(step, 0), PATIENCE, f"a hit of {step}")
    installation.set_failpoints()
    seen[step] = installation.hits(step)
    installation.move_clock(61)


def test_an_import_and_its_undo_survive_kills_at_each_step(installation: Installation) -> None:
    installation.start_web()
    installation.start_worker("jobs")
    installation.register()
    lines = [f"P{number},+8210200{number:05d},p{number}@example.com" for number in range(ROWS)]
    content = ("Name,Phone,Email\n" + "\n".join(lines) + "\nP0,+821020000000,other@example.com\n").encode()
    import_id = installation.api("POST", "/api/contacts/imports", status=202, files={"file": ("people.csv", content)})[
        "id"
    ]
    wait_for_state(installation, import_id, "checked")
    path = f"/api/contacts/imports/{import_id}"
    installation.set_failpoints(f"{STEPS[0]} kill")
    installation.api("POST", f"{path}/run", status=202)
    seen: dict[str, int] = {}
    for step in STEPS:
        kill_at(installation, step, seen)
    wait_for_state(installation, import_id, "done")
    stored = installation.rows("SELECT count(*), count(DISTINCT first_name) FROM contacts")
    assert stored == [(ROWS, ROWS)]
    assert installation.rows("SELECT count(*) FROM contact_points") == [(2 * ROWS + 1,)]
    report = installation.api("GET", path)["report"]
    assert (report["rows"], report["create"], report["same_person"]) == (ROWS + 1, ROWS, 1)
    installation.set_failpoints(f"{STEPS[0]} kill")
    installation.api("POST", f"{path}/undo", status=202)
    kill_at(installation, STEPS[0], seen)
    wait_for_state(installation, import_id, "undone")
    for table in ("contacts", "contact_points", "contact_tags", "contact_import_changes"):
        assert installation.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
