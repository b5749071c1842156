"""openapi-typescript makes types of the document, a client written against them compiles strictly, and it works.

npm installs the generator once, into a folder of `var/` that is named after the lock file. Without npm, or without a
network at the first time, the test is skipped, except where `SWITCHBOARD_NODE_REQUIRED=1` says that it has to run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import PASSWORD, begin, open_link
from tests.support.installation import ROOT, Installation, wait_for

SOURCES = Path(__file__).parent / "typescript"
LOCK = SOURCES / "package-lock.json"


def missing(why: str) -> None:
    """Fails where the tools are required, and skips elsewhere."""
    if os.environ.get("SWITCHBOARD_NODE_REQUIRED") == "1":
        pytest.fail(f"{why} SWITCHBOARD_NODE_REQUIRED=1 asks for it.")
    pytest.skip(why)


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with the installed packages: made once for a lock file, whole or not at all."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("There is no Node.js with npm here.")
    folder = ROOT / "var" / "clients" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        fresh.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, fresh / name)
        command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            shutil.rmtree(fresh)
            missing(f"npm could not install the packages: {done.stderr[-500:]}")
        try:
            fresh.rename(folder)
        except OSError:  # another worker was there first
            shutil.rmtree(fresh)
    return folder


def run(folder: Path, *command: str) -> str:
    """What a command prints; fails with its output where it ends with an error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def client(tools: Path, document: Path, tmp_path: Path) -> Path:
    """The folder with the compiled client."""
    folder = tmp_path / "typescript"
    folder.mkdir()
    (folder / "node_modules").symlink_to(tools / "node_modules")
    for name in ("package.json", "tsconfig.json", "client.ts"):
        shutil.copy(SOURCES / name, folder / name)
    run(folder, "node_modules/.bin/openapi-typescript", str(document), "--output", "schema.d.ts")
    run(folder, "node_modules/.bin/tsc", "--project", ".")
    return folder


def test_a_generated_client_signs_in_links_reports_and_reads(installation: Installation, client: Path) -> None:
    email = begin(installation)["user"]["email"]

    def step(name: str) -> Any:
        return json.loads(run(client, "node", "client.js", name, installation.url, email, PASSWORD))

    link = step("link")
    assert link["workspace"] == "Example"
    open_link(installation, link["linking_url"])
    wait_for(installation.settled, 20, "the bot's words on it")
    reported = step("report")
    # The bot's answer to the link is a message as well.
    assert reported.pop("messages") >= 2
    assert reported == {
        "linked": True,
        "decision": "queued",
        "alert": "undelivered",
        "events": [True],
        "alerts": 1,
        "silences": ["active"],
        "next": None,
        "refused": "unknown_field",
    }


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert {package.get("integrity", "")[:7] for name, package in packages.items() if name} == {"sha512-"}
