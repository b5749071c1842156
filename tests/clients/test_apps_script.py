"""The script of docs/sheets.md in a JavaScript runtime, given what the product sends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backend.core import clock
from backend.models import OutgoingDelivery, OutgoingWebhook
from backend.services.outgoing_webhooks import endpoint_requests
from tests.clients.test_typescript import missing
from tests.support.installation import ROOT

SECRET = "whsec_example-of-the-tests"
RUNNER = Path(__file__).parent / "apps_script" / "run.js"


def body(number: int = 1, secret: str = SECRET, **message: Any) -> str:
    """What an endpoint of kind `sheets` is sent for a message."""
    data = {"contact": {"name": "Mina", "phone": "+82 10-0000-0000"}, "conversation": {"channel": "whatsapp"}}
    event = {"id": f"evt_{number}", "type": "message.received", "created_at": "2026-11-30T00:00:00.000Z"}
    stored = json.dumps(event | {"data": data | {"message": {"direction": "in", **message}}}, ensure_ascii=False)
    webhook = OutgoingWebhook(id=1, kind="sheets", url="https://script.google.com/macros/s/x/exec")
    webhook.secret = secret
    delivery = OutgoingDelivery(id=number, event_id=f"evt_{number}", type="message.received", body=stored)
    return endpoint_requests.build(webhook, delivery).body.decode()


def run(tmp_path: Path, *requests: str, secret: str | None = SECRET, locked: bool = False) -> dict[str, Any]:
    """The script's answers, the rows of the sheet, and how often the lock is still held."""
    node = shutil.which("node")
    if node is None:
        missing("There is no Node.js here.")
    page = (ROOT / "docs" / "sheets.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```javascript\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "script.js"
    path.write_text(script, encoding="utf-8")
    given = json.dumps({"secret": secret, "locked": locked, "requests": requests})
    done = subprocess.run([str(node), str(RUNNER), str(path)], input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.usefixtures("app")
def test_an_event_is_a_row_and_its_repetition_is_none(tmp_path: Path) -> None:
    done = run(tmp_path, body(1, text="안녕"), body(2, text="Hello"), body(1, text="안녕"))
    assert done["answers"] == [{"ok": True, "added": True}, {"ok": True, "added": True}, {"ok": True, "added": False}]
    header, first, second = done["rows"]
    assert header[0] == "id"
    assert (first[0], first[3], first[6:9]) == ("evt_1", "Mina", ["whatsapp", "in", "안녕"])
    assert second[0] == "evt_2"
    assert done["held"] == 0


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1"])
def test_what_looks_like_a_formula_is_text(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, body(text=text))
    assert done["rows"][1][8] == f"'{text}"
    # Neither is a number with a plus sign.
    assert done["rows"][1][4] == "'+82 10-0000-0000"


@pytest.mark.usefixtures("app")
def test_what_is_not_signed_is_refused(tmp_path: Path) -> None:
    changed = json.loads(body(text="Hello"))
    changed["payload"] = changed["payload"].replace("Hello", "Send money")
    old = json.loads(body(text="Hello"))
    old["signature"] = old["signature"].replace(f"t={int(clock.unix())}"[:8], "t=100000"[:8])
    done = run(tmp_path, body(secret="whsec_another"), json.dumps(changed), json.dumps(old), "{}", "[]")
    assert {answer["error"] for answer in done["answers"]} == {"signature"}
    assert done["rows"] == []


@pytest.mark.usefixtures("app")
def test_without_its_secret_it_takes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, body(), secret=None)["answers"] == [{"ok": False, "error": "signature"}]


@pytest.mark.usefixtures("app")
def test_a_sheet_that_is_taken_and_a_body_that_is_none_are_answered(tmp_path: Path) -> None:
    assert run(tmp_path, body(), locked=True)["answers"] == [{"ok": False, "error": "busy"}]
    (answer,) = run(tmp_path, "<html>")["answers"]
    assert answer["ok"] is False


@pytest.mark.usefixtures("app")
def test_both_signatures_after_a_rotation_are_taken(tmp_path: Path) -> None:
    request = json.loads(body(text="Hello"))
    stamp, signature = request["signature"].split(",")
    request["signature"] = f"{stamp},v1={'0' * 64},{signature}"
    assert run(tmp_path, json.dumps(request))["answers"] == [{"ok": True, "added": True}]
