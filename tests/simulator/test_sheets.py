"""The simulated Apps Script: an answer by way of a redirect that is good for one GET."""

from __future__ import annotations

import pytest
import requests

from tests.support.telegram_box import BoxError, TelegramBox


def run(box: TelegramBox) -> requests.Response:
    address = box.control("GET", "/sheets")["url"]
    return requests.post(address, json={"id": "1", "payload": "{}"}, timeout=10, allow_redirects=False)


def test_a_run_is_answered_at_another_address_once(box: TelegramBox) -> None:
    redirect = run(box)
    assert redirect.status_code == 302
    address = redirect.headers["Location"]
    assert requests.post(address, timeout=10).status_code == 405
    assert requests.get(address, timeout=10).json() == {"ok": True}
    assert requests.get(address, timeout=10).status_code == 404
    assert box.control("GET", "/sheets/runs")["runs"] == [{"method": "POST", "body": {"id": "1", "payload": "{}"}}]


@pytest.mark.parametrize(
    ("mode", "text"), [("script_error", "<title>Error</title>"), ("sign_in", "accounts.google.com")]
)
def test_what_fails_is_a_page_with_status_200(box: TelegramBox, mode: str, text: str) -> None:
    box.control("PATCH", "/sheets", {"mode": mode})
    page = requests.get(run(box).headers["Location"], timeout=10)
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert text in page.text


def test_a_script_may_say_that_it_did_not_work(box: TelegramBox) -> None:
    box.control("PATCH", "/sheets", {"mode": "not_ok"})
    assert requests.get(run(box).headers["Location"], timeout=10).json()["ok"] is False


@pytest.mark.parametrize("change", [{"mode": "perhaps"}, {"delay": "long"}, {"delay": -1}])
def test_a_setting_that_cannot_be_is_refused(box: TelegramBox, change: dict[str, object]) -> None:
    with pytest.raises(BoxError, match="422"):
        box.control("PATCH", "/sheets", change)
