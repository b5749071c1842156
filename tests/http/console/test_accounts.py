"""Accounts in the console: what the list says of each state, who may do what, and the steps of connecting."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import clock, process_registry, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, AccountLogin, AuditEntry, Campaign, User, Workspace
from backend.services.accounts import health, integrations, logins
from backend.services.accounts.integrations import Use
from tests.http import callers, objects_campaigns
from tests.http.console.conftest import Browser
from tests.http.console.test_shell import person_workspace
from tests.support import accounts

LIST, CONNECT = "/console/accounts", "/console/accounts/connect"
PHONE = "+12025550101"
GIVEN = {"read": "1", "phone": PHONE, "api_id": "12345", "api_hash": "0" * 32}


@pytest.fixture
def operator(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="operator"))


def stored(person: User, **values) -> int:
    """An account of this person; its id."""
    with system_scope("a test"):
        home = db.session.get_one(Workspace, person.workspace_id)
        account_id = accounts.account(home, person, **values).sender_id
    callers.commit()
    return account_id


def account_of(account_id: int) -> Account:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.scalars(
            select(Account).where(Account.sender_id == account_id).execution_options(populate_existing=True)
        ).one()


def all_logins() -> list[AccountLogin]:
    db.session.rollback()
    with system_scope("a test"):
        query = select(AccountLogin).order_by(AccountLogin.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))


class Answering:
    """The process that carries out logins: answers each command as the test says."""

    def __init__(self, app: Flask, answers: dict[str, tuple[str, dict]]) -> None:
        self.app, self.answers = app, answers
        self.taken: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Answering:
        process_registry.report("sessions")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)

    def _run(self) -> None:
        with self.app.app_context():
            while not self._stopped.wait(0.05):
                with system_scope("logins of a test"):
                    command = logins.take("a test")
                    if command is not None:
                        db.session.commit()
                        self.taken.append(command.name)
                        state, values = self.answers[command.name]
                        logins.answer(command, state, **values)
                    db.session.commit()
                db.session.remove()


SENT = ("code_required", {"delivery": "app", "session": "s", "phone_code_hash": "h", "error_code": None})


def test_an_empty_list_leads_to_connecting_and_viewers_are_not_offered_it(app, browser, person):
    assert "No account yet" in browser.get(LIST).text
    viewer = Browser(app, callers.member(person_workspace(person), role="viewer"))
    assert CONNECT not in viewer.get(LIST).text
    assert viewer.get(CONNECT).status_code == 403
    assert viewer.post(CONNECT, GIVEN).status_code == 403


def test_the_list_says_state_cause_and_end_of_each_account(browser, person):
    now = clock.now()
    stored(person, telegram_id=1, session=f"{accounts.SESSION}1")
    stored(
        person, telegram_id=2, session=f"{accounts.SESSION}2", state="limited", reason="peer_flood",
        campaigns_pause_reason="peer_flood", service_notice="Some people found <b>these</b> unwanted.",
        service_notice_at=now,
    )  # fmt: skip
    stored(
        person, telegram_id=3, session=f"{accounts.SESSION}3", state="frozen", reason="frozen",
        freeze_until=now + timedelta(days=7), appeal_url="https://t.me/spambot",
    )  # fmt: skip
    stored(person, telegram_id=4, session=f"{accounts.SESSION}4", state="needs_login", reason="session_revoked")
    stored(
        person, telegram_id=5, session=f"{accounts.SESSION}5", state="waiting", reason="flood_wait",
        until=now + timedelta(minutes=5),
    )  # fmt: skip
    shown = browser.get(LIST).text
    assert shown.count('class="panel" aria-labelledby="account-') == 5
    for words in (
        "Telegram refused a message to somebody who does not know this account.",
        "New conversations and follow-ups wait for your decision",
        "Some people found &lt;b&gt;these&lt;/b&gt; unwanted.",
        "Only an appeal to Telegram lifts it",
        "https://t.me/spambot",
        "The session was ended on one of the account’s devices.",
        "it goes on by itself",
        "FLOOD_WAIT",
    ):
        assert words in shown, words
    assert "+10000000001" not in shown
    assert shown.count("I decided: send again") == 1


def test_signals_are_listed_with_what_they_are(browser, person):
    account_id = stored(person)
    with system_scope("a test"):
        health.signal(account_id, "flood_wait", seconds=41, on_lookup=True)
        health.signal(account_id, "peer_flood")
    callers.commit()
    shown = browser.get(LIST).text
    assert "pause of 41 seconds with look-ups" in shown
    assert shown.index("PEER_FLOOD</strong>") < shown.index("FLOOD_WAIT</strong>")


def test_somebody_decides_that_a_limited_account_goes_on(browser, operator, person):
    account_id = stored(person, state="limited", reason="peer_flood", campaigns_pause_reason="peer_flood")
    assert operator.post(f"{LIST}/{account_id}/resume").status_code == 403
    assert account_of(account_id).state == "limited"
    assert browser.post(f"{LIST}/{account_id}/resume").status_code == 303
    account = account_of(account_id)
    assert (account.state, account.campaigns_pause_reason) == ("connected", None)
    assert browser.post(f"{LIST}/{account_id}/resume").status_code == 303
    with system_scope("a test"):
        query = select(AuditEntry).where(AuditEntry.action == "account.resumed")
        assert len(db.session.scalars(query).all()) == 1


def test_no_decision_opens_a_frozen_account(browser, person):
    account_id = stored(person, state="frozen", reason="frozen", campaigns_pause_reason="frozen")
    browser.post(f"{LIST}/{account_id}/resume")
    account = account_of(account_id)
    assert (account.state, account.campaigns_pause_reason) == ("frozen", "frozen")


def test_the_pace_is_for_those_who_may_use_the_account(browser, operator, person):
    account_id = stored(person)
    shown = browser.get(f"{LIST}/{account_id}/pace").text
    assert shown.count("<rect") == 48
    assert "10 more may go today" in shown
    assert operator.get(f"{LIST}/{account_id}/pace").status_code == 403
    assert f"{account_id}/pace" not in operator.get(LIST).text


def test_the_owner_names_who_sends_from_it(browser, operator, person):
    account_id = stored(person)
    helper = callers.member(person_workspace(person), role="operator", name="Bo Helper")
    address = f"{LIST}/{account_id}/senders"
    assert "Bo Helper" in browser.get(address).text
    assert operator.get(address).status_code == 403
    assert browser.post(address, {"who": "some", "user": [str(helper.id)]}).status_code == 303
    assert account_of(account_id).allowed_senders == [helper.id]
    assert browser.post(address, {"who": "some", "user": ["999999"]}).status_code == 422
    assert browser.post(address, {"who": "workspace", "user": [str(helper.id)]}).status_code == 303
    assert account_of(account_id).allowed_senders == ["workspace"]
    assert browser.post(address, {"who": "owner"}).status_code == 303
    assert account_of(account_id).allowed_senders == []


def test_logging_out_asks_what_becomes_of_what_campaigns_have_to_send(browser, operator, person, monkeypatch):
    account_id, settled = stored(person), []
    monkeypatch.setattr(integrations, "_users", [(lambda _: Use(2, 79, 1), lambda *how: settled.append(how))])
    address = f"{LIST}/{account_id}/remove"
    assert operator.get(address).status_code == 403
    assert "2 campaigns" not in browser.get(address).text
    asked = browser.post(address)
    assert asked.status_code == 409
    for words in ("2 campaigns still have something to send", "79 people wait", "One person is between two"):
        assert words in asked.text
    assert account_of(account_id).deleted_at is None
    assert browser.post(address, {"pending": "move"}).status_code == 422
    assert settled == []
    assert browser.post(address, {"pending": "cancel"}).status_code == 303
    assert settled == [(account_id, "cancel", None)]
    assert account_of(account_id).deleted_at is not None
    assert browser.get(address).status_code == 404


def test_a_running_campaign_is_named_and_moves_to_another_account(browser, person):
    campaign_id = objects_campaigns.campaign(person, "running").id
    with system_scope("a test"):
        account_id = db.session.get_one(Campaign, campaign_id).sender_id
    assert account_id is not None
    other = stored(person, telegram_id=9, session=f"{accounts.SESSION}9")
    address = f"{LIST}/{account_id}/remove"
    asked = browser.post(address)
    assert asked.status_code == 409
    assert "One campaign still has something to send from it" in asked.text
    assert "One person waits for a first message." in asked.text
    assert f'<option value="{other}"' in asked.text
    assert browser.post(address, {"pending": "move", "to": str(other)}).status_code == 303
    db.session.rollback()
    with system_scope("a test"):
        moved = db.session.get_one(Campaign, campaign_id, populate_existing=True)
        assert (moved.sender_id, moved.state) == (other, "running")
    assert account_of(account_id).deleted_at is not None


def test_the_warnings_come_before_the_number_and_have_to_be_read(browser):
    page = browser.get(CONNECT).text
    for words in ("Telegram watches unofficial programs", "All your devices may be logged out", "Often better: a bot"):
        assert words in page
    assert page.index("Telegram watches unofficial programs") < page.index('id="phone"')
    refused = browser.post(CONNECT, {name: value for name, value in GIVEN.items() if name != "read"})
    assert refused.status_code == 422
    assert "Read what stands above" in refused.text
    assert GIVEN["api_hash"] not in refused.text
    assert all_logins() == []


def test_nothing_is_asked_while_no_process_serves_accounts(browser):
    queue.connection().flushdb()
    refused = browser.post(CONNECT, GIVEN)
    assert refused.status_code == 503
    assert "python worker.py sessions" in refused.text
    assert all_logins() == []


def test_two_presses_at_once_ask_for_one_code(app, browser, person):
    with Answering(app, {"start": SENT}) as process:
        second = Browser(app, person)
        answers = []
        threads = [
            threading.Thread(target=lambda one=one: answers.append(one.post(CONNECT, GIVEN).headers.get("Location")))
            for one in (browser, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        [login] = all_logins()
        assert answers == [f"{CONNECT}/{login.id}"] * 2
        assert process.taken == ["start"]


def test_a_page_sends_its_code_again_once(app, browser):
    with Answering(app, {"start": SENT, "resend": SENT}) as process:
        address = browser.post(CONNECT, GIVEN).headers["Location"]
        page = browser.get(address).text
        assert "The code is in Telegram" in page
        [seen] = set(re.findall(r'name="seen" value="(\d+)"', page))
        for _ in range(2):
            assert browser.post(f"{address}/resend", {"seen": seen}).status_code == 303
        assert process.taken == ["start", "resend"]


def test_a_wrong_code_stands_at_its_field_and_a_password_follows_a_right_one(app, browser):
    process = Answering(app, {"start": SENT, "code": ("code_required", {"error_code": "code_wrong"})})
    with process:
        address = browser.post(CONNECT, GIVEN).headers["Location"]
        missing = browser.post(f"{address}/code", {"seen": "1", "code": " "})
        assert missing.status_code == 422
        wrong = browser.post(f"{address}/code", {"seen": "1", "code": "00000"})
        assert wrong.status_code == 422
        assert 'id="code-err"' in wrong.text
        assert "00000" not in wrong.text
        process.answers["code"] = ("password_required", {"error_code": None})
        right = browser.post(f"{address}/code", {"seen": "2", "code": "1 2-345"})
        assert (right.status_code, right.headers["Location"]) == (303, address)
        assert "Now your two-step password" in browser.get(address).text
        process.answers["password"] = ("password_required", {"error_code": "password_wrong"})
        refused = browser.post(f"{address}/password", {"seen": "3", "password": "guess"})
        assert refused.status_code == 422
        assert 'id="password-err"' in refused.text
        [login] = all_logins()
        assert login.secret is None


def test_a_login_is_open_to_who_began_it_alone_and_ends_when_they_stop(app, browser, operator):
    with Answering(app, {"start": SENT, "cancel": ("failed", {"error_code": "canceled"})}):
        address = browser.post(CONNECT, GIVEN).headers["Location"]
        assert operator.get(address).status_code == 404
        assert operator.post(f"{address}/cancel").status_code == 303
        assert all_logins()[0].state == "code_required"
        assert "You are connecting an account already" in browser.get(CONNECT).text
        assert browser.post(f"{address}/cancel").headers["Location"] == LIST
        assert all_logins()[0].state == "failed"
        assert "It did not go through" in browser.get(address).text
        assert "You are connecting an account already" not in browser.get(CONNECT).text


def test_two_presses_at_once_give_a_code_once(app, browser, person):
    with Answering(app, {"start": SENT, "code": ("password_required", {"error_code": None})}) as process:
        address = browser.post(CONNECT, GIVEN).headers["Location"]
        form = {"seen": "1", "code": "12345"}
        answers = []
        threads = [
            threading.Thread(target=lambda one=one: answers.append(one.post(f"{address}/code", form).status_code))
            for one in (browser, Browser(app, person))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert answers == [303, 303]
        assert process.taken == ["start", "code"]


def test_what_telegram_refuses_stands_at_its_field(app, browser):
    refused = {"start": ("failed", {"error_code": "phone_banned"})}
    with Answering(app, refused):
        page = browser.post(CONNECT, GIVEN)
    assert page.status_code == 422
    assert 'id="phone-err"' in page.text
    assert "Telegram has banned this number" in page.text


def test_a_login_that_took_too_long_says_so(app, browser, person):
    with Answering(app, {"start": SENT}):
        address = browser.post(CONNECT, GIVEN).headers["Location"]
    with workspace_scope(person.workspace_id):
        db.session.get_one(AccountLogin, int(address.rsplit("/", 1)[1])).expires_at = clock.now()
    callers.commit()
    assert "This took too long" in browser.get(address).text


def test_a_login_that_is_done_leads_to_its_account(app, browser, person):
    account_id = stored(person, caught_up_at=None)
    with Answering(app, {"qr": ("done", {"sender_id": account_id})}):
        address = browser.post(f"{CONNECT}/qr", GIVEN).headers["Location"]
    assert address == f"{LIST}/{account_id}/connected"
    page = browser.get(address).text
    assert "Catching up with Telegram" in page
    [login] = all_logins()
    by_script = browser.client.get(f"{CONNECT}/{login.id}", headers={"HX-Request": "true"})
    assert by_script.headers["HX-Redirect"] == address
