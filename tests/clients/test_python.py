"""openapi-python-client makes a client of the document without a warning, and the client works."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backend.http.openapi.operation_ids import OPERATION_IDS
from tests.clients.conftest import PASSWORD, begin, open_link
from tests.support.installation import Installation, wait_for

PACKAGE = "switchboard_client"


@pytest.fixture
def package(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The generated client, imported."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"post_hooks": []}))
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--fail-on-warning",
            "--meta", "none", "--config", str(config), "--path", str(document),
            "--output-path", str(tmp_path / PACKAGE),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(PACKAGE)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def operation(tag: str, name: str) -> Any:
    """The function of an operation that answers what was parsed."""
    return importlib.import_module(f"{PACKAGE}.api.{tag}.{name}").sync_detailed


def model(name: str) -> Any:
    """A schema's class."""
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


def test_a_generated_client_signs_in_links_reports_and_reads(
    installation: Installation, document: Path, package: ModuleType, tmp_path: Path
) -> None:
    generated = list((tmp_path / PACKAGE / "api").rglob("*.py"))
    assert len([path for path in generated if path.name != "__init__.py"]) == len(OPERATION_IDS)

    email = begin(installation)["user"]["email"]
    anybody = package.Client(base_url=installation.url)
    login = operation("signing_in", "login")
    refused = login(client=anybody, body=model("Login")(email=email, password="not this one"))
    assert refused.parsed.error.code == "invalid_credentials"
    signed_in = login(client=anybody, body=model("Login")(email=email, password=PASSWORD)).parsed
    assert signed_in.user.workspace.name == "Example"
    me = package.AuthenticatedClient(base_url=installation.url, token=signed_in.access_token)

    link = operation("telegram", "create_telegram_link")(client=me).parsed
    open_link(installation, link.linking_url)
    status = operation("telegram", "get_telegram_status")(client=me).parsed
    assert status.telegram_enabled
    assert status.linked_at.tzinfo is not None

    data = model("EventInData").from_dict({"platform": "instagram", "content": "Hello", "likes": 3})
    event = model("EventIn")(type_="post_success", data=data)
    accepted = operation("notifications", "report_event")(client=me, body=event).parsed
    assert accepted.decision == "queued"
    get_message = operation("notifications", "get_message")
    wait_for(lambda: get_message(accepted.message_id, client=me).parsed.state == "sent", 30, "the message")

    events = operation("notifications", "list_events")(client=me, limit=1).parsed
    assert [one.event_id for one in events.events] == [accepted.event_id]
    assert events.events[0].data.additional_properties["likes"] == 3
    for tag, name, field in (
        ("alerts", "list_alerts", "alerts"),
        ("posts", "list_posts", "posts"),
        ("bots", "list_bots", "telegram_bots"),
        ("scheduled_messages", "list_scheduled_messages", "scheduled_messages"),
        ("webhooks", "list_webhooks", "webhooks"),
    ):
        found = operation(tag, name)(client=me)
        assert found.status_code == 200, name
        assert getattr(found.parsed, field) == [], name
    people = operation("people", "list_people")(client=me).parsed
    assert [one.email for one in people.people] == [email]

    least = model("AlertIn")(title="Disk full", severity=model("AlertInSeverity").CRITICAL)
    assert set(least.to_dict()) == {"title", "severity"}, "what was not given is not sent"
    alert = operation("alerts", "raise_alert")(client=me, body=least)
    assert alert.status_code == 202

    content = "Größe: 한글\n".encode()
    types = importlib.import_module(f"{PACKAGE}.types")
    form = model("FileIn")(file=types.File(payload=io.BytesIO(content), file_name="note.txt", mime_type="text/plain"))
    stored = operation("files", "upload_file")(client=me, body=form).parsed
    assert stored.size == len(content)
    given_back = operation("files", "download_file")(stored.id, client=me).parsed
    assert given_back.payload.read() == content
