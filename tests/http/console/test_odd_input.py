"""Whatever stands in an address or a form, no page breaks, and no answer carries a header that a request made up."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from backend.http.console.kit.own_address import HOME, own_address
from tests.http import callers, routes
from tests.http.console.conftest import Browser

NAMES = (
    "next", "back", "cursor", "type", "decision", "person", "q", "name", "label", "op", "value", "kind", "cron",
    "every", "unit", "run_at", "timezone", "starts_at", "ends_at", "seconds", "shown", "token", "email", "password",
    "position", "locale", "theme", "state", "severity", "text", "bot_name", "chat_ids", "message", "quiet_start",
    "quiet_end", "daily_summary_at", "comment", "group_wait", "form_id", "tag", "field", "has", "segment_id", "consent",
    "created_from", "import_id", "owner_id", "region", "phone", "tags", "obtained_at", "channel", "code", "reason",
    "key", "choices", "columns", "encoding", "delimiter", "header_row", "mode", "column_0", "first_name",
)  # fmt: skip
"""What the pages read, whichever of them."""

ODD = [
    "/console/\r\nSet-Cookie: a=b",
    "/console/\x00",
    "1" * 5000,
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00",
    "٣{\u2028\ufffe",
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_no_page_breaks(app: Flask, browser: Browser, alerting: Any, odd: str) -> None:
    given = dict.fromkeys(NAMES, odd)
    asked = 0
    for route in routes.walk(app, console=True):
        if "<path:" in route.rule or "<version>" in route.rule or "sign-out" in route.rule:
            continue
        path = route.rule.replace("<int:", "<")
        while "<" in path:
            path = f"{path[: path.index('<')]}1{path[path.index('>') + 1 :]}"
        response = browser.get(path, query_string=given) if route.method == "GET" else browser.post(path, given)
        asked += 1
        assert response.status_code < 500, (str(route), response.status_code, response.text[:300])
        assert "a" not in {cookie.partition("=")[0] for cookie in response.headers.getlist("Set-Cookie")}
    assert asked > 50


@pytest.mark.parametrize("odd", ["a\x00@example.com", "x" * 5000, "\r\n@example.com", "\ufffe"])
def test_the_sign_in_and_the_reset_bear_odd_words(stranger: Browser, odd: str) -> None:
    for path in ("/console/sign-in", "/reset-password"):
        response = stranger.post(path, {"email": odd, "password": odd, "token": odd})
        assert response.status_code in (401, 404, 422), (path, response.status_code)
    assert stranger.get("/reset-password", query_string={"token": odd}).status_code == 200


LEADS_AWAY = [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "/console/\\evil", "javascript:alert(1)", "",
    "/console", "/api/docs", "/console//evil.example", "/console/\r\nLocation: https://evil.example/", "/console/\n",
    "/console/\t/evil.example", "/console/\x00", "/console/\x85x", "/console/\u2028x", " /console/", "/console/a b",
    "/console/" + "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("wanted", LEADS_AWAY)
def test_only_a_page_of_the_console_is_led_to(
    app: Flask, browser: Browser, stranger: Browser, person: Any, wanted: str
) -> None:
    assert own_address(wanted) == HOME
    assert browser.get("/console/sign-in", query_string={"next": wanted}).headers["Location"] == HOME
    chosen = browser.post("/console/preferences", {"theme": "dark", "back": wanted})
    signed_in = stranger.post("/console/sign-in", {"email": person.email, "password": callers.PASSWORD, "next": wanted})
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, HOME)
    # A form with a NUL in it is refused as a whole.
    expected = (422, None) if "\0" in wanted else (303, HOME)
    assert (chosen.status_code, chosen.headers.get("Location")) == expected


@pytest.mark.parametrize(
    "wanted", ["/console/", "/console/alerts?label=a%3Db&q=http://x", "/console/search?q=알림", "/console/alerts/7#end"]
)
def test_a_page_of_the_console_stays_what_it_is(wanted: str) -> None:
    assert own_address(wanted) == wanted


def test_a_page_that_is_not_there_leads_back_without_a_header_of_its_own(stranger: Browser) -> None:
    for path in ("/console/%0d%0aSet-Cookie:%20a=b", "/console/x%0a", "/console/%00"):
        response = stranger.get(path)
        assert response.status_code in (303, 404)
        assert "\n" not in response.headers.get("Location", "")
        assert response.headers.get("Set-Cookie") is None
