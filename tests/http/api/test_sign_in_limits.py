"""Nobody's failures refuse somebody elsewhere; guessers are slowed all the same, also while Redis is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.core import clock, config
from backend.core.work import Turn
from backend.http import jwt
from backend.models import User
from backend.services.auth import devices, limits, password_resets, sign_in
from tests.http import callers
from tests.http.api.test_account import confirm, reset_link

HOME, CAFE, STRANGER = "198.51.100.7", "203.0.113.20", "192.0.2.66"
WRONG = "a wrong password"
DEVICE = "X-Device-Token"

Limited = Callable[..., None]


@pytest.fixture
def limited(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Sets other limits, and perhaps takes Redis away."""

    def change(rate_limits: str = "", *, away: bool = False) -> None:
        changes = {"rate_limits": rate_limits} | ({"redis_url": "redis://127.0.0.1:1/0"} if away else {})
        monkeypatch.setattr(config, "_current", settings.model_copy(update=changes))

    return change


def login(client: FlaskClient, person: User, password: str = callers.PASSWORD, at: str = HOME, **headers: str) -> Any:
    return client.post(
        "/api/auth/login",
        json={"email": person.email, "password": password},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        environ_overrides={"REMOTE_ADDR": at},
    )


def fail(client: FlaskClient, person: User, times: int, at: str = STRANGER, **headers: str) -> None:
    for _ in range(times):
        callers.error_of(login(client, person, WRONG, at, **headers), 401)


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
def test_a_strangers_failures_refuse_the_stranger_alone(client: FlaskClient, limited: Limited, away: bool) -> None:
    limited(away=away)
    person = callers.member()
    fail(client, person, 10)
    assert int(login(client, person, WRONG, STRANGER).headers["Retry-After"]) > 60
    callers.error_of(login(client, person, at=STRANGER), 429)
    assert login(client, person, at=HOME).status_code == 200
    callers.error_of(login(client, person, at=STRANGER), 429)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.66", "192.0.2.66", True),
        ("192.0.2.66", "192.0.2.67", False),
    ],
)
def test_failures_count_by_network(client: FlaskClient, first: str, second: str, together: bool) -> None:
    person = callers.member()
    fail(client, person, 10, first)
    assert login(client, person, at=second).status_code == (429 if together else 200)


def test_a_header_without_a_trusted_proxy_makes_no_other_network(client: FlaskClient) -> None:
    person = callers.member()
    for number in range(10):
        fail(client, person, 1, X_Forwarded_For=f"198.51.100.{number}")
    callers.error_of(login(client, person, at=STRANGER, X_Forwarded_For=HOME), 429)


def test_behind_a_trusted_proxy_only_what_it_wrote_counts(
    app: Flask, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.app import create_app

    behind = settings.model_copy(update={"trusted_proxies": 1})
    monkeypatch.setattr(config, "_current", behind)
    client, person = create_app(behind).test_client(), callers.member()
    for number in range(10):
        fail(client, person, 1, HOME, X_Forwarded_For=f"198.51.100.{number}, {STRANGER}")
    callers.error_of(login(client, person, at=HOME, X_Forwarded_For=f"{CAFE}, {STRANGER}"), 429)
    assert login(client, person, at=HOME, X_Forwarded_For=f"{STRANGER}, {CAFE}").status_code == 200


# --- devices that signed in before ----------------------------------------------------------------------------


def test_a_program_that_shows_its_mark_passes_where_others_have_failed(client: FlaskClient) -> None:
    person = callers.member()
    mark = login(client, person).headers[DEVICE]
    fail(client, person, 10, HOME)
    callers.error_of(login(client, person), 429)
    passed = login(client, person, X_Device_Token=mark)
    assert passed.status_code == 200
    assert passed.headers[DEVICE] != mark


@pytest.mark.parametrize("kind", ["access", "refresh", "expired", "signed out"])
def test_a_program_that_keeps_nothing_else_shows_an_earlier_token(client: FlaskClient, kind: str) -> None:
    person = callers.member()
    body = login(client, person).get_json()
    token = body["access_token" if kind in ("access", "signed out") else "refresh_token"]
    if kind == "expired":
        clock.move(40 * 86_400)
    if kind == "signed out":
        client.post("/api/auth/logout", headers=callers.bearer(token))
    fail(client, person, 10, HOME)
    callers.error_of(login(client, person), 429)
    assert login(client, person, **callers.bearer(token)).status_code == 200


def test_a_known_device_is_limited_by_its_own_failures(client: FlaskClient) -> None:
    person = callers.member()
    mark = login(client, person).headers[DEVICE]
    fail(client, person, 10, HOME, X_Device_Token=mark)
    callers.error_of(login(client, person, X_Device_Token=mark), 429)
    assert login(client, person, at=CAFE).status_code == 200


def marks_of_nobody(person: User, other: User) -> list[dict[str, str]]:
    mine = devices.mark(person.id)
    named, _, proof = mine.rpartition(".")
    foreign = jwt.access_token(other.id, 1)
    return [
        {DEVICE: devices.mark(other.id)},
        {DEVICE: mine[:-4] + "AAAA"},
        {DEVICE: f"{other.id}{named[len(str(person.id)) :]}.{proof}"},
        {DEVICE: f"{named}.%%%"},
        {DEVICE: "~".join(["x"] * 400)},
        {DEVICE: "é"},
        {DEVICE: "..."},
        callers.bearer(foreign),
        callers.bearer(jwt.access_token(person.id, 1)[:-6] + "AAAAAA"),
        callers.bearer("nonsense"),
        {"Authorization": "Basic eA=="},
    ]


@pytest.mark.parametrize("which", range(11))
def test_no_other_mark_passes(client: FlaskClient, which: int) -> None:
    person, other = callers.member(), callers.member()
    fail(client, person, 10, HOME)
    shown = marks_of_nobody(person, other)[which]
    callers.error_of(login(client, person, **shown), 429)


def test_a_mark_lives_half_a_year(client: FlaskClient) -> None:
    person = callers.member()
    mark = login(client, person).headers[DEVICE]
    clock.move(181 * 86_400)
    fail(client, person, 10, HOME)
    callers.error_of(login(client, person, X_Device_Token=mark), 429)


def test_people_who_take_turns_keep_their_marks(app: Flask) -> None:
    kept = ""
    for user_id in range(1, 8):
        kept = devices.mark(user_id, kept)
    assert [devices.device_of(kept, user_id) is not None for user_id in range(1, 8)] == [False] * 2 + [True] * 5
    again = devices.mark(5, kept)
    assert len(again.split("~")) == 5
    assert len(again) < devices.MAX_CHARACTERS


# --- many networks, one account -------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
def test_guessers_from_many_networks_are_slowed_together(client: FlaskClient, limited: Limited, away: bool) -> None:
    person = callers.member()
    mark = login(client, person, at=CAFE).headers[DEVICE]
    limited("login_account=20/h", away=away)
    for number in range(20):
        fail(client, person, 1, f"192.0.2.{number}")
    callers.error_of(login(client, person, at="192.0.2.200"), 429)
    # Neither the known device, wherever it is, nor the network from which the account has signed in is refused.
    assert login(client, person, at=STRANGER, X_Device_Token=mark).status_code == 200
    assert login(client, person, at=CAFE).status_code == 200
    # Nor anybody else's account.
    assert login(client, callers.member(), at="192.0.2.200").status_code == 200
    callers.error_of(login(client, person, at="192.0.2.201"), 429)
    clock.move(3601)
    assert login(client, person, at="192.0.2.200").status_code == 200


def test_a_network_from_which_a_sign_in_was_put_out_is_not_known(client: FlaskClient, limited: Limited) -> None:
    person = callers.member()
    login(client, person, at=STRANGER)
    assert sign_in.has_signed_in_from(person.id, STRANGER)
    assert confirm(client, reset_link(person)).status_code == 200
    assert not sign_in.has_signed_in_from(person.id, STRANGER)
    login(client, person, "a brand new password", at=CAFE)
    assert sign_in.has_signed_in_from(person.id, CAFE)
    clock.move(91 * 86_400)
    assert not sign_in.has_signed_in_from(person.id, CAFE)


def test_a_refresh_from_another_network_makes_that_one_known(client: FlaskClient) -> None:
    person = callers.member()
    token = login(client, person, at=CAFE).get_json()["refresh_token"]
    client.post("/api/auth/refresh", headers=callers.bearer(token), environ_overrides={"REMOTE_ADDR": HOME})
    assert sign_in.has_signed_in_from(person.id, HOME)


def test_whoever_has_the_mailed_link_gets_in_whatever_others_try(client: FlaskClient, limited: Limited) -> None:
    limited("login_account=5/h")
    person = callers.member()
    link = reset_link(person)
    for number in range(5):
        fail(client, person, 1, f"192.0.2.{number}")
    callers.error_of(login(client, person), 429)
    done = confirm(client, link)
    for number in range(5):
        fail(client, person, 1, f"192.0.2.{number}")
    callers.error_of(login(client, person, "a brand new password"), 429)
    assert login(client, person, "a brand new password", X_Device_Token=done.headers[DEVICE]).status_code == 200


def test_a_refused_login_is_counted_nowhere(client: FlaskClient, limited: Limited) -> None:
    limited("login=2/15m,login_address=4/15m,login_account=3/h")
    person, other = callers.member(), callers.member()
    fail(client, person, 2)
    for _ in range(10):
        callers.error_of(login(client, person, WRONG, STRANGER), 429)
    fail(client, other, 2)
    callers.error_of(login(client, callers.member(), WRONG, STRANGER), 429)
    fail(client, person, 1, CAFE)
    callers.error_of(login(client, person, WRONG, HOME), 429)


def test_changing_the_password_is_not_refused_for_strangers_failures(client: FlaskClient, limited: Limited) -> None:
    limited("login_account=5/h,login_address=5/15m")
    person = callers.member()
    headers = callers.signed_in(person)
    for at in (STRANGER, "127.0.0.1"):
        for _ in range(6):
            login(client, person, WRONG, at)
    body = {"current_password": callers.PASSWORD, "new_password": "another horse battery"}
    assert client.post("/api/auth/password", json=body, headers=headers).status_code == 200


# --- calls without credentials, by what they cost -------------------------------------------------------------


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
@pytest.mark.parametrize(
    ("path", "body", "token", "cost", "usual"),
    [
        ("/api/auth/refresh", None, "garbage", limits.COST_REFUSED, 401),
        ("/api/auth/refresh", None, "sbp_garbage", limits.COST_REFUSED, 401),
        ("/api/auth/password-reset", {"email": "nobody@example.com"}, None, limits.COST_WORK, 202),
        ("/api/auth/password-reset/confirm", {"token": "x", "password": "whatever it is"}, None, limits.COST_WORK, 404),
        ("/api/auth/logout", None, "sbp_garbage", limits.COST_REFUSED, 401),
    ],
)
def test_calls_without_credentials_are_limited_by_cost(
    client: FlaskClient, limited: Limited, away: bool, path: str, body: Any, token: str | None, cost: int, usual: int
) -> None:
    limited("anonymous=15/m", away=away)
    headers = callers.bearer(token) if token else {}

    def call(at: str) -> int:
        return client.post(path, json=body, headers=headers, environ_overrides={"REMOTE_ADDR": at}).status_code

    assert [call(STRANGER) for _ in range(15 // cost + 1)] == [usual] * (15 // cost) + [429]
    assert call(HOME) == usual
    clock.move(61)
    assert call(STRANGER) == usual


def test_a_person_with_a_good_token_is_not_refused_for_the_garbage_of_a_neighbour(
    client: FlaskClient, limited: Limited
) -> None:
    limited("anonymous=2/m")
    headers = callers.signed_in(callers.member())
    for _ in range(4):
        client.get("/api/auth/me", headers=callers.bearer("sbp_garbage"))
    assert client.get("/api/auth/me", headers=headers).status_code == 200
    assert client.get("/api/auth/me").status_code == 401


def test_the_usual_limits_let_hundreds_of_anonymous_calls_a_minute_pass(client: FlaskClient) -> None:
    statuses = {client.post("/api/auth/refresh", headers=callers.bearer("x")).status_code for _ in range(400)}
    assert statuses == {401}


def test_requests_for_one_address_beyond_a_few_are_answered_by_those_before(client: FlaskClient) -> None:
    person = callers.member()
    answers = [client.post("/api/auth/password-reset", json={"email": person.email}) for _ in range(9)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_data() for answer in answers}) == 1
    assert password_resets.answer_requests(Turn(60.0)) == 5
