"""Connecting an account over the API: the code, the password, the picture, and removing it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from backend.core import process_registry, queue
from backend.core.database import db
from backend.models import Account, AccountLogin, Sender, User, Workspace
from tests.http import callers
from tests.services.sessions.conftest import ANN, API, CYD, Running, account_of, code_of, duplicate_keys
from tests.support.engine import until
from tests.support.telegram_box import TelegramBox

CONNECT, VERIFY = "/api/integrations/telegram/connect-user", "/api/integrations/telegram/verify-code"


@pytest.fixture
def person(home: Workspace) -> User:
    return callers.member(home, role="operator")


@pytest.fixture
def headers(person: User) -> dict[str, str]:
    process_registry.report("sessions")
    return callers.signed_in(person)


def codes(box: TelegramBox, phone: str) -> int:
    return len(box.control("GET", f"/accounts/{phone}/codes")["codes"])


def test_a_code_connects_an_account_and_a_second_press_burns_none(
    client: FlaskClient, headers: dict[str, str], box: TelegramBox, running: Running
) -> None:
    with running():
        asked = client.post(CONNECT, json={**API, "phone": "+1 202 555 0101"}, headers=headers)
        assert (asked.status_code, asked.get_json()["status"], asked.get_json()["delivery"]) == (
            202,
            "code_required",
            "app",
        )
        again = client.post(CONNECT, json={**API, "phone": ANN}, headers=headers)
        assert (again.status_code, codes(box, ANN)) == (202, 1)
        wrong = client.post(VERIFY, json={"phone": ANN, "code": "00000"}, headers=headers)
        assert (wrong.status_code, wrong.get_json()["error"]["code"]) == (422, "code_wrong")
        right = client.post(VERIFY, json={"phone": ANN, "code": code_of(box, ANN)}, headers=headers)
        assert right.status_code == 200, right.text
        assert right.get_json()["message"] == "Telegram User API connected successfully"
        assert (right.get_json()["platform"], right.get_json()["phone"]) == ("telegram_user", ANN)
        twice = client.post(VERIFY, json={"phone": ANN, "code": code_of(box, ANN)}, headers=headers)
        assert twice.status_code == 200
        until(lambda: account_of(right.get_json()["id"]).state == "connected", 30)
    [shown] = client.get("/api/integrations", headers=headers).get_json()["integrations"]
    assert (shown["platform"], shown["status"], shown["username"]) == ("telegram_user", "connected", "ann_sim")
    assert ANN not in str(shown)
    assert shown["ramp"] == {"day": 1, "limit": 3}
    pace = client.get(f"/api/accounts/{shown['id']}/pace", headers=headers).get_json()
    assert (pace["daily_limit"], pace["left_today"], pace["slots"]) == (3, 3, [])
    assert not duplicate_keys(box)
    secrets = db.session.query(AccountLogin).populate_existing().one()
    assert (secrets.secret_encrypted, secrets.session_encrypted, secrets.phone_code_hash_encrypted) == (None,) * 3


def test_an_account_with_a_password_asks_for_it_and_keeps_the_code(
    client: FlaskClient, headers: dict[str, str], box: TelegramBox, running: Running
) -> None:
    with running():
        assert client.post(CONNECT, json={**API, "phone": CYD}, headers=headers).status_code == 202
        asked = client.post(VERIFY, json={"phone": CYD, "code": code_of(box, CYD)}, headers=headers)
        assert (asked.status_code, asked.get_json()["error"]["code"]) == (409, "password_required")
        wrong = client.post(VERIFY, json={"phone": CYD, "password": "guess"}, headers=headers)
        assert (wrong.status_code, wrong.get_json()["error"]["code"]) == (422, "password_wrong")
        right = client.post(VERIFY, json={"phone": CYD, "password": "hunter2"}, headers=headers)
        assert right.status_code == 200, right.text


def test_a_picture_that_a_device_scans_connects_too(
    client: FlaskClient, headers: dict[str, str], box: TelegramBox, running: Running
) -> None:
    with running():
        shown = client.post("/api/integrations/telegram/connect-qr", json=API, headers=headers)
        assert shown.status_code == 200, shown.text
        assert shown.get_json()["url"].startswith("tg://login?token=")
        assert "<svg" in shown.get_json()["svg"]
        box.control("POST", f"/accounts/{ANN}/scan", {"link": shown.get_json()["url"]})
        until(lambda: db.session.query(Account).populate_existing().count() == 1, 30)


def test_what_telegram_refuses_is_said_as_it_is(
    client: FlaskClient, headers: dict[str, str], box: TelegramBox, running: Running
) -> None:
    with running():
        unknown = client.post(CONNECT, json={**API, "phone": "+12025550199"}, headers=headers)
        assert (unknown.status_code, unknown.get_json()["error"]["code"]) == (422, "phone_invalid")
        fault = {"kind": "error", "method": "auth.sendCode", "code": 420, "message": "FLOOD_WAIT_77", "count": 1}
        box.control("POST", "/mtproto/faults", fault)
        flood = client.post(CONNECT, json={**API, "phone": ANN}, headers=headers)
        assert (flood.status_code, flood.get_json()["error"]["code"]) == (429, "login_flood")
        assert flood.headers["Retry-After"] == "77"
        box.control("PATCH", f"/accounts/{ANN}", {"login": "payment"})
        paid = client.post(CONNECT, json={**API, "phone": ANN}, headers=headers)
        assert (paid.status_code, paid.get_json()["error"]["code"]) == (422, "login_unsupported")


def test_nobody_waits_for_a_process_that_is_not_there(client: FlaskClient, headers: dict[str, str]) -> None:
    queue.connection().flushdb()
    refused = client.post(CONNECT, json={**API, "phone": ANN}, headers=headers)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "sessions_away")
    assert db.session.query(AccountLogin).count() == 0


def test_removing_an_account_logs_it_out_and_forgets_its_session(
    client: FlaskClient, account: Account, home: Workspace, box: TelegramBox, running: Running
) -> None:
    stranger = callers.signed_in(callers.member(home, role="operator"))
    refused = client.delete(f"/api/integrations/{account.sender_id}", headers=stranger)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "not_your_account")
    admin = callers.signed_in(callers.member(home, role="admin"))
    with running():
        assert client.delete(f"/api/integrations/{account.sender_id}", headers=admin).status_code == 204
        until(lambda: not box.control("GET", f"/accounts/{ANN}/logins")["logins"], 60)
        until(lambda: _logouts_done(), 20)
    assert client.get("/api/integrations", headers=admin).get_json()["integrations"] == []
    sender = db.session.get_one(Sender, account.sender_id, populate_existing=True)
    assert (sender.credentials_encrypted, sender.is_active) == (None, False)
    assert not duplicate_keys(box)


def _logouts_done() -> bool:
    rows = db.session.query(AccountLogin).filter_by(command="logout").populate_existing().all()
    return bool(rows) and all(row.state == "done" and row.session_encrypted is None for row in rows)
