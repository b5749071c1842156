"""Who may listen to live events, and when a stream ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from backend.asgi.live import authentication
from backend.asgi.live import endpoint as serving_live
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import User
from backend.services.auth import sign_in
from backend.services.auth.actor import Actor
from tests.asgi.conftest import Served
from tests.asgi.listening import heard, note, socket
from tests.http import callers
from tests.support.serving import Listener, ask, eventually

# --- who may ---


def test_without_credentials_there_is_nothing_to_hear(served: Served, app: Any) -> None:
    answer = ask(served.port, path="/api/live", Accept="text/event-stream")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert json.loads(answer.content)["error"]["code"] == "unauthorized"  # type: ignore[attr-defined]
    own = {"Origin": f"http://127.0.0.1:{served.port}"}
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Cookie": "session=x", **own}, 401),
        ({"Cookie": "switchboard=1.1.x", **own}, 401),
        ({"Cookie": "switchboard=1.1.x"}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused, socket(served, **headers):
            pass
        assert refused.value.response.status_code == status, headers


def test_a_personal_token_needs_the_scope_read(served: Served, ada: User) -> None:
    good = Listener(served.port, **callers.with_token(ada, ["read"]))
    assert good.until("ready")
    answer = ask(served.port, path="/api/live", **callers.with_token(ada, ["write"]))
    assert answer.status == 403
    assert json.loads(answer.content)["error"]["code"] == "scope_missing"  # type: ignore[attr-defined]


def test_calls_are_counted_like_all_others(served: Served, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_live, "MAX_OF_A_PERSON", 2)
    listeners = [served.listen(ada) for _ in range(2)]
    for listener in listeners:
        listener.until("ready")
    answer = ask(served.port, path="/api/live", **callers.signed_in(ada))
    assert answer.status == 429
    assert json.loads(answer.content)["error"]["code"] == "too_many_connections"  # type: ignore[attr-defined]
    listeners[0].close()
    eventually(lambda: len(served.front.live._connections) == 1, "the place to be free")
    served.listen(ada).until("ready")


@pytest.mark.parametrize("end", ["sign_in", "person", "token"])
def test_a_stream_ends_when_its_credentials_do(
    served: Served, ada: User, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_live, "RECHECK", 0.0)
    monkeypatch.setattr(serving_live, "_LOOK", 0.05)
    other = served.listen(callers.member())
    listener = served.listen(ada)
    listener.until("ready")
    with workspace_scope(ada.workspace_id):
        if end == "sign_in":
            sign_in.end_all(ada.id, "logged_out")
        elif end == "person":
            db.session.get_one(User, ada.id).disabled_at = clock.now()
    callers.commit()
    if end == "token":
        clock.move(3700)
    expected = "token_expired" if end == "token" else "signed_out"
    assert listener.until("bye")["reason"] == expected
    assert listener.next() == {}
    if end != "token":
        note(other_home := other_workspace(), 1)
        assert other_home != ada.workspace_id
        assert heard(other, 1) == [1]


def other_workspace() -> int:
    with system_scope("test"):
        return int(db.session.query(User.workspace_id).order_by(User.id.desc()).limit(1).scalar() or 0)


def test_a_websocket_ends_with_its_sign_in_by_a_code(
    served: Served, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_live, "RECHECK", 0.0)
    monkeypatch.setattr(serving_live, "_LOOK", 0.05)
    with socket(served, **callers.signed_in(ada)) as client:
        assert json.loads(client.recv(60))["type"] == "ready"
        with workspace_scope(ada.workspace_id):
            sign_in.end_all(ada.id, "logged_out")
        callers.commit()
        assert json.loads(client.recv(60)) == {"type": "bye", "reason": "signed_out"}
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(60)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "signed_out")


@pytest.fixture
def cookies(ada: User) -> Any:
    """A console whose cookie is the person's name."""

    def read(found: dict[str, str]) -> Actor | None:
        return callers.acting(ada) if found.get("console") == "ada" else None

    authentication.read_cookies_with(read)
    yield
    authentication.read_cookies_with(None)


def test_a_page_of_ours_listens_by_its_cookie(served: Served, ada: User, cookies: Any) -> None:
    own = f"http://127.0.0.1:{served.port}"
    assert Listener(served.port, Cookie="console=ada", Sec_Fetch_Site="same-origin").until("ready")
    assert Listener(served.port, Cookie="console=ada", Origin=own).until("ready")
    with socket(served, Cookie="console=ada", Origin=own) as client:
        assert json.loads(client.recv(60))["type"] == "ready"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_page_of_another_origin_does_not(served: Served, cookies: Any, headers: dict[str, str]) -> None:
    answer = ask(served.port, path="/api/live", Cookie="console=ada", **headers)
    assert answer.status == 403
    with pytest.raises(InvalidStatus) as refused, socket(served, Cookie="console=ada", **headers):
        pass
    assert refused.value.response.status_code == 403


def test_another_cookie_is_nobody(served: Served, cookies: Any) -> None:
    assert ask(served.port, path="/api/live", Cookie="console=eve", Sec_Fetch_Site="same-origin").status == 401


# --- beside it ---


def test_what_is_no_stream_goes_to_flask(served: Served, ada: User) -> None:
    assert ask(served.port, "POST", "/api/live", b"{}", Content_Type="application/json").status == 405
    assert ask(served.port, path="/health").status == 200
    assert ask(served.port, path="/nowhere").status == 404
    me = ask(served.port, path="/api/auth/me", **callers.signed_in(ada))
    assert json.loads(me.content)["id"] == ada.id  # type: ignore[attr-defined]
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{served.port}/elsewhere"):
        pass
    assert refused.value.response.status_code == 404


def test_streams_end_first_when_the_process_stops(served: Served, ada: User) -> None:
    import asyncio

    listener = served.listen(ada)
    listener.until("ready")
    hub = served.front.live._hub
    assert hub is not None
    with socket(served, **callers.signed_in(ada)) as client:
        assert json.loads(client.recv(60))["type"] == "ready"
        asyncio.run_coroutine_threadsafe(served.front.stop(), hub._loop).result(60)
        assert listener.until("bye")["reason"] == "server_stopping"
        assert json.loads(client.recv(60))["reason"] == "server_stopping"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    answer = ask(served.port, path="/api/live", **callers.signed_in(ada))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
