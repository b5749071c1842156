"""What a call without credentials costs: look-ups before hashes, the same work whether an account exists or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from backend.asgi.application import AsgiApplication
from backend.core import clock, hash_queue, passwords
from backend.core.database import db
from backend.core.hash_queue import HashQueue, Size
from backend.core.work import Turn
from backend.http.devices import HEADER as DEVICE
from backend.services.auth import limits, password_resets
from tests.http import callers
from tests.http.api.test_account import reset_link
from tests.http.api.test_auth import KIM, actions
from tests.support.serving import ask, serving

WRONG = "a wrong password"


class Hasher(passwords.Passwords):
    """Counts what it does, and whether a transaction was open meanwhile; waits where it is told to."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, passes=1)
        self.calls: list[str] = []
        self.open: list[bool] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def _note(self, what: str) -> None:
        self.calls.append(what)
        self.open.append(db.session().in_transaction())
        assert self.go_on.wait(60)

    def hash(self, password: str) -> str:
        """Counted."""
        self._note("hash")
        return super().hash(password)

    def verify(self, stored: str, password: str) -> bool:
        """Counted."""
        self._note("verify")
        return super().verify(stored, password)

    def verify_dummy(self, password: str) -> None:
        """Counted like `verify`."""
        self._note("verify")
        super().verify_dummy(password)


@pytest.fixture
def hasher(_quick_passwords: None) -> Hasher:
    made = Hasher()
    passwords.use(made)
    return made


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements of this process, in order."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("token", ["made-up", "x" * 200, "\u00e9", "sbp_x"])
def test_an_unknown_reset_token_buys_no_hash(client: FlaskClient, hasher: Hasher, token: str) -> None:
    for _ in range(40):
        response = client.post("/api/auth/password-reset/confirm", json={"token": token, "password": "a new password"})
        callers.error_of(response, 404)
    assert hasher.calls == []


def test_a_used_link_and_a_weak_password_buy_none_either(client: FlaskClient, hasher: Hasher) -> None:
    person = callers.member(email="minji@example.com", name="Kim Minji")
    link = reset_link(person)

    def confirm(password: str) -> Any:
        return client.post("/api/auth/password-reset/confirm", json={"token": link, "password": password})

    for weak, code in (
        ("short", "password_too_short"),
        ("Password123!", "password_common"),
        ("minji2024", "password_personal"),
    ):
        assert callers.error_of(confirm(weak), 422)["code"] == code
    assert hasher.calls == []
    assert confirm("a brand new password").status_code == 200
    assert hasher.calls == ["hash"]
    callers.error_of(confirm("another new password"), 404)
    assert hasher.calls == ["hash"]


def test_registering_a_taken_address_or_with_a_common_password_buys_none(client: FlaskClient, hasher: Hasher) -> None:
    assert client.post("/api/auth/register", json=KIM).status_code == 201
    assert hasher.calls == ["hash"]
    callers.error_of(client.post("/api/auth/register", json=KIM), 409)
    for weak in ("qwertyuiop", "Seaside-Coffee", "kimminji2024"):
        body = KIM | {"email": "new@example.com", "password": weak}
        error = callers.error_of(client.post("/api/auth/register", json=body), 422)
        assert error["detail"][0]["field"] == "password"
    assert hasher.calls == ["hash"]


def test_a_limited_login_buys_none(client: FlaskClient, hasher: Hasher) -> None:
    person = callers.member()
    body = {"email": person.email, "password": WRONG}
    for _ in range(30):
        client.post("/api/auth/login", json=body)
    assert hasher.calls == ["verify"] * 10


def test_while_a_password_is_hashed_no_connection_is_held(client: FlaskClient, hasher: Hasher) -> None:
    person = callers.member()
    assert client.post("/api/auth/register", json=KIM).status_code == 201
    assert client.post("/api/auth/login", json={"email": person.email, "password": callers.PASSWORD}).status_code == 200
    link = reset_link(person)
    body = {"token": link, "password": "a brand new password"}
    assert client.post("/api/auth/password-reset/confirm", json=body).status_code == 200
    assert hasher.calls == ["hash", "verify", "hash"]
    assert not any(hasher.open)


def work_of(client: FlaskClient, hasher: Hasher, path: str, body: dict[str, Any]) -> tuple[int, list[str], list[str]]:
    hasher.calls.clear()
    with statements() as seen:
        status = client.post(path, json=body).status_code
    return status, list(seen), list(hasher.calls)


@pytest.mark.parametrize("braked", [False, True])
def test_a_wrong_login_costs_the_same_whether_the_account_exists_or_not(
    client: FlaskClient, hasher: Hasher, monkeypatch: pytest.MonkeyPatch, braked: bool
) -> None:
    person, without = callers.member(), callers.member(password_hash=None)
    if braked:
        # Many networks have guessed at all of them: the networks that are known are looked up too.
        def brake(*arguments: Any, **named: Any) -> Any:
            named["knows_network"]()
            return limits.CountedLogin("login:x")

        monkeypatch.setattr(limits, "count_login", brake)
    costs = {
        name: work_of(client, hasher, "/api/auth/login", {"email": email, "password": WRONG})
        for name, email in (
            ("known", person.email),
            ("without a password", without.email),
            ("unknown", "nobody@example.com"),
            ("no address", "nobody at all"),
        )
    }
    assert {status for status, _, _ in costs.values()} == {401}
    assert len({tuple(seen) for _, seen, _ in costs.values()}) == 1, costs
    assert all(calls == ["verify"] for _, _, calls in costs.values())


def test_asking_for_a_reset_costs_the_same_whether_the_account_exists_or_not(
    client: FlaskClient, hasher: Hasher
) -> None:
    person, gone = callers.member(), callers.member(disabled_at=clock.now())
    path = "/api/auth/password-reset"
    costs = [
        work_of(client, hasher, path, {"email": email})
        for email in (person.email, gone.email, "nobody@example.com", person.email)
    ]
    assert {status for status, _, _ in costs} == {202}
    assert len({tuple(seen) for _, seen, _ in costs}) == 1, costs
    assert not any("users" in statement for _, seen, _ in costs for statement in seen)


def test_a_request_that_is_old_or_of_nobody_is_dropped(client: FlaskClient) -> None:
    person = callers.member()
    client.post("/api/auth/password-reset", json={"email": person.email})
    client.post("/api/auth/password-reset", json={"email": "nobody@example.com"})
    clock.move(25 * 3600)
    assert password_resets.answer_requests(Turn(60.0)) == 2
    assert not password_resets.WORK.is_due()
    assert actions(f"user:{person.id}") == []


# --- the queue ------------------------------------------------------------------------------------------------


def test_when_very_many_sign_in_the_answer_says_when_to_come_back(client: FlaskClient, hasher: Hasher) -> None:
    person = callers.member()
    full = HashQueue(Size(1, 2, 1))
    hash_queue.use(full)
    try:
        with full.place("elsewhere"):
            error = callers.error_of(
                client.post("/api/auth/login", json={"email": person.email, "password": WRONG}), 503
            )
            assert error["code"] == "sign_in_busy"
            for path, body in (
                ("/api/auth/register", KIM),
                ("/api/auth/password-reset/confirm", {"token": reset_link(person), "password": "a brand new password"}),
            ):
                callers.error_of(client.post(path, json=body), 503)
        # What was not looked at is not counted, and no link is burnt.
        for _ in range(10):
            response = client.post("/api/auth/login", json={"email": person.email, "password": WRONG})
            callers.error_of(response, 401)
        assert client.post("/api/auth/register", json=KIM).status_code == 201
    finally:
        hash_queue.use(None)


def test_who_is_turned_away_has_cost_no_statement(client: FlaskClient, hasher: Hasher) -> None:
    person = callers.member()
    mark = client.post("/api/auth/login", json={"email": person.email, "password": callers.PASSWORD}).headers[DEVICE]
    queue = HashQueue(Size(1, 2, 1))
    hash_queue.use(queue)
    try:
        with queue.place("elsewhere"):
            body = {"email": person.email, "password": callers.PASSWORD}
            for _ in range(20):
                status, seen, calls = work_of(client, hasher, "/api/auth/login", body)
                assert (status, seen, calls) == (503, [], [])
            hasher.go_on.set()
        for headers in ({DEVICE: mark}, {}):
            assert client.post("/api/auth/login", json=body, headers=headers).status_code == 200
    finally:
        hash_queue.use(None)


def test_one_network_has_a_bounded_share(client: FlaskClient, hasher: Hasher) -> None:
    queue = HashQueue(Size(1, 8, 1))
    hash_queue.use(queue)
    try:
        with queue.place("127.0.0.1"):
            body = {"email": "nobody@example.com", "password": WRONG}
            callers.error_of(client.post("/api/auth/login", json=body), 429)
    finally:
        hash_queue.use(None)


def test_others_are_answered_while_every_place_of_the_queue_is_taken(app: Flask, hasher: Hasher) -> None:
    """Thirty-two logins at once against eight threads; the hashes take as long as the test likes."""

    headers, person = callers.signed_in(callers.member()), callers.member()
    queue = HashQueue(hash_queue.size_for(8, 2))
    hash_queue.use(queue)
    hasher.go_on.clear()
    statuses: list[int] = []
    body = f'{{"email": "{person.email}", "password": "{callers.PASSWORD}"}}'

    def attack() -> None:
        statuses.append(ask(port, "POST", "/api/auth/login", body, Content_Type="application/json").status)

    try:
        with serving(AsgiApplication(app)) as port:
            threads = [threading.Thread(target=attack) for _ in range(32)]
            for thread in threads:
                thread.start()
            _until(lambda: len(statuses) == 32 - 3)
            assert set(statuses) == {429}
            for _ in range(20):
                assert ask(port, "GET", "/api/auth/me", **headers).status == 200
                assert ask(port, "GET", "/health").status == 200
            hasher.go_on.set()
            for thread in threads:
                thread.join(60)
            assert sorted(statuses) == [200] * 3 + [429] * 29
    finally:
        hasher.go_on.set()
        hash_queue.use(None)


def _until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if holds():
            return
        pause.wait(0.005)
    raise AssertionError("it never came")
