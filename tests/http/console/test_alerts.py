"""The pages about alerts: what they show, who may act, what acting does, and what is said to wrong input."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Alert, AlertEvent, AuditEntry, Sender
from backend.services.alerts import Attribution
from backend.services.alerts.rules import silences
from tests.http import callers, holdings, routes
from tests.http.console.alerting import HOST, HX, policy, raised
from tests.http.console.conftest import Browser
from tests.support.fake_channel import FakeChannel

PAGES = ("/console/alerts", "/console/alerts/silences", "/console/alerts/policies", "/console/alerts/setup")
ACTS = ("ack", "unack", "snooze", "wake", "resolve", "reopen")


def alert(alert_id: int) -> Alert:
    with system_scope("a test"):
        return db.session.scalars(select(Alert).where(Alert.id == alert_id)).one()


@pytest.fixture
def queries() -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def test_without_alerts_the_page_says_what_it_is_for(alerting, browser):
    page = browser.get("/console/alerts").text
    assert "Nothing is wrong" in page
    assert 'href="/console/alerts/setup"' in page


def test_the_worst_stand_first_and_what_somebody_has_taken_last(alerting, browser):
    raised(alerting, "A warning", severity="warning")
    taken = raised(alerting, "A taken one", severity="critical")
    raised(alerting, "A notice", severity="notice")
    raised(alerting, "A critical one", severity="critical")
    browser.post(f"/console/alerts/{taken}/ack")
    page = browser.get("/console/alerts").text
    order = ["A critical one", "A warning", "A notice", "A taken one"]
    assert sorted(order, key=lambda title: page.index(f">{title}</a>")) == order
    assert "Acknowledged by" in page


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("", {"Disk full", "Slow"}),
        ("severity=critical", {"Disk full"}),
        ("state=acknowledged", {"Slow"}),
        ("state=firing", {"Disk full"}),
        ("mine=1", {"Slow"}),
        ("q=host=db-1", {"Disk full"}),
        ("q=slo", {"Slow"}),
        ("q=%25", set()),
        ("bot=alerts", {"Disk full", "Slow"}),
        ("bot=other", set()),
        ("state=resolved", {"Over"}),
        ("state=undelivered", set()),
        ("state=nonsense", {"Disk full", "Slow"}),
    ],
)
def test_the_address_says_which_alerts(alerting, browser, query, seen):
    raised(alerting, "Disk full", severity="critical", labels={"host": "db-1"})
    browser.post(f"/console/alerts/{raised(alerting, 'Slow')}/ack")
    browser.post(f"/console/alerts/{raised(alerting, 'Over')}/resolve")
    for headers in ({}, HX):
        page = browser.get(f"/console/alerts?{query}", headers=headers).text
        assert {title for title in ("Disk full", "Slow", "Over") if f">{title}</a>" in page} == seen
    assert "<html" not in page


def test_text_that_cannot_be_stored_and_foreign_cursors_are_refused(alerting, browser):
    assert browser.get("/console/alerts?q=%00").status_code == 422
    assert browser.get("/console/alerts?state=resolved&cursor=abc").status_code == 422


def test_the_list_asks_the_database_as_often_for_many_as_for_one(alerting, browser, queries):
    raised(alerting, "First")
    queries.clear()
    browser.get("/console/alerts")
    few = len(queries)
    for number in range(6):
        raised(alerting, f"Number {number}")
    queries.clear()
    browser.get("/console/alerts")
    assert len(queries) == few


def test_an_alert_has_a_page_with_everything_about_it(alerting, browser):
    alert_id = raised(alerting, "Disk full", message="<b>84 %</b> & more", severity="critical", labels={"host": "db-1"})
    browser.post(f"/console/alerts/{alert_id}/ack")
    page = browser.get(f"/console/alerts/{alert_id}").text
    for expected in (
        "<title>Disk full",
        "84 % &amp; more",
        "host=",
        "It began",
        "Told",
        "The bot&#39;s chat",
        "by console",
    ):
        assert expected in page, expected
    assert "Acknowledgement ends at" in page
    part = browser.get(f"/console/alerts/{alert_id}", headers=HX).text
    assert "<html" not in part
    assert "It began" in part


def test_an_alert_that_did_not_get_through_says_so_with_the_reason(person, browser):
    FakeChannel(part_chars=4096).install()
    alert_id = raised(person)
    assert alert(alert_id).undelivered_code
    reason = f"Not delivered ({alert(alert_id).undelivered_code})"
    assert reason in browser.get("/console/alerts?state=undelivered").text
    page = browser.get(f"/console/alerts/{alert_id}").text
    assert reason in page
    assert 'href="/console/bots/meaning?name=alerts"' in page
    assert browser.get("/console/bots/meaning?name=alerts").status_code == 200


def test_an_alert_leads_to_its_bot(alerting, browser):
    alert_id = raised(alerting)
    with system_scope("a test"):
        bot_id = db.session.scalars(select(Sender.id).where(Sender.name == "alerts")).one()
    assert f'href="/console/bots/{bot_id}"' in browser.get(f"/console/alerts/{alert_id}").text


def test_addresses_that_are_none_of_the_web_are_no_links(alerting, browser):
    alert_id = raised(alerting)
    links = [{"text": "Evil", "url": "javascript:alert(1)"}, {"text": "Good", "url": "https://wiki.example.com/"}]
    with system_scope("a test"):
        db.session.execute(update(Alert).values(links=links))
    callers.commit()
    page = browser.get(f"/console/alerts/{alert_id}").text
    assert "https://wiki.example.com/" in page
    assert "javascript:" not in page


def test_what_an_alert_says_is_no_markup_of_the_page(alerting, browser):
    alert_id = raised(
        alerting, "<script>x</script>", message='<a href="javascript:x">y</a><img src=x>', labels={"a": "<b>"}
    )
    for page in (browser.get("/console/alerts").text, browser.get(f"/console/alerts/{alert_id}").text):
        assert "<script>x" not in page
        assert "<img" not in page
        assert "<b><b>" not in page


@pytest.mark.parametrize(
    ("action", "state", "undo"),
    [("ack", "acknowledged", "unack"), ("snooze", "snoozed", "wake"), ("resolve", "resolved", "reopen")],
)
def test_acting_is_said_in_a_toast_with_a_way_back(alerting, browser, action, state, undo):
    alert_id = raised(alerting)
    response = browser.client.post(
        f"/console/alerts/{alert_id}/{action}",
        data={"csrf_token": browser.csrf},
        headers={"Origin": "http://localhost", **HX},
    )
    assert response.status_code == 204
    said = response.headers["HX-Trigger"]
    assert f"/console/alerts/{alert_id}/{undo}" in said
    assert (alert(alert_id).state, alert(alert_id).by_user_id) == (state, alerting.id)
    assert browser.post(f"/console/alerts/{alert_id}/{undo}").status_code == 303
    assert alert(alert_id).state == "firing"
    with system_scope("a test"):
        ways = set(db.session.scalars(select(AlertEvent.via).where(AlertEvent.user_id == alerting.id)))
        assert ways == {"console"}
        assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == f"alert.{state}")).one()


def test_without_a_script_one_comes_back_to_the_list_as_it_was(alerting, browser):
    alert_id = raised(alerting)
    back = "/console/alerts?severity=warning"
    response = browser.post(f"/console/alerts/{alert_id}/ack", {"back": back})
    assert (response.status_code, response.headers["Location"]) == (303, back)
    assert "Acknowledged. Its messages say so." in browser.get(back).text
    for wrong in ("https://evil.example", "//evil.example", "/console//evil.example", "/console/\\evil"):
        again = browser.post(f"/console/alerts/{alert_id}/ack", {"back": wrong})
        assert again.headers["Location"] == f"/console/alerts/{alert_id}"


def test_acting_twice_says_so_and_acting_too_late_is_refused(alerting, browser):
    alert_id = raised(alerting)
    browser.post(f"/console/alerts/{alert_id}/ack")
    browser.post(f"/console/alerts/{alert_id}/ack")
    assert "It is so already." in browser.get("/console/alerts").text
    browser.post(f"/console/alerts/{alert_id}/resolve")
    assert browser.post(f"/console/alerts/{alert_id}/ack").status_code == 409


def test_only_what_the_state_allows_is_offered_and_nothing_to_a_viewer(app, alerting, browser):
    alert_id = raised(alerting)

    def offered(page: str) -> set[str]:
        return {act for act in ACTS if f'{alert_id}/{act}"' in page}

    address = f"/console/alerts/{alert_id}"
    assert offered(browser.get(address).text) == {"ack", "snooze", "resolve"}
    browser.post(f"{address}/snooze")
    assert offered(browser.get(address).text) == {"ack", "wake", "resolve"}
    browser.post(f"{address}/ack")
    assert offered(browser.get(address).text) == {"unack", "snooze", "resolve"}
    viewer = Browser(app, callers.member(holdings.home(alerting), role="viewer"))
    assert offered(viewer.get(address).text) == set()
    browser.post(f"{address}/resolve")
    assert offered(browser.get(address + "?state=resolved").text) == {"reopen"}


def test_another_workspaces_alerts_are_not_there(app, alerting):
    alert_id = raised(alerting, labels={"host": "db-1"})
    with workspace_scope(alerting.workspace_id):
        made = silences.make(
            Attribution("api", "x"), [HOST], clock.now(), clock.now() + timedelta(hours=1), comment=None
        )
        policy_id = policy(alerting)
        callers.commit()
        silence_id = made.id
    other = Browser(app, callers.member(role="admin"))
    before = routes.fingerprint()
    for path in (f"/console/alerts/{alert_id}", f"/console/alerts/policies/{policy_id}"):
        assert other.get(path).status_code == 404
    for path in (f"silences/new?alert={alert_id}", f"silences/new?again={silence_id}", "silences/new?alert=x"):
        assert other.get(f"/console/alerts/{path}").status_code == 404
    acts = [f"{alert_id}/{act}" for act in ACTS]
    for path in (*acts, f"silences/{silence_id}/end", f"policies/{policy_id}", f"policies/{policy_id}/delete"):
        assert other.post(f"/console/alerts/{path}").status_code == 404, path
    assert "Disk full" not in other.get("/console/alerts").text
    assert "db-1" not in other.get("/console/alerts/silences").text
    assert routes.fingerprint() == before


def test_every_page_is_there_in_both_languages(alerting, browser):
    alert_id = raised(alerting, labels={"host": "db-1"})
    with workspace_scope(alerting.workspace_id):
        policy_id = policy(alerting)
        callers.commit()
    paths = (*PAGES, f"/console/alerts/{alert_id}", "/console/alerts/silences/new", "/console/alerts/policies/new")
    for locale, word in (("en", "Alerts"), ("ko", "경보")):
        browser.post("/console/preferences", {"locale": locale})
        for path in (*paths, f"/console/alerts/policies/{policy_id}"):
            response = browser.get(path)
            assert response.status_code == 200, path
            assert word in response.text
            for forbidden in ("<style", " style=", "<script>", " onclick=", "javascript:", "hx-on"):
                assert forbidden not in response.text, f"{path}: {forbidden}"


def test_the_overview_leads_to_an_alert_and_takes_it(app, alerting, browser):
    alert_id = raised(alerting, severity="critical")
    page = browser.get("/console/").text
    assert f'href="/console/alerts/{alert_id}"' in page
    assert f'action="/console/alerts/{alert_id}/ack"' in page
    viewer = Browser(app, callers.member(holdings.home(alerting), role="viewer"))
    assert "/ack" not in viewer.get("/console/").text
    response = browser.post(f"/console/alerts/{alert_id}/ack", {"back": "/console/"})
    assert response.headers["Location"] == "/console/"
    assert f"/console/alerts/{alert_id}" not in browser.get("/console/").text.split("<main")[1]


def test_private_labels_are_not_shown_and_a_silence_is_made_of_all(alerting, browser):
    labels = {f"label_{number:02}": "x" for number in range(20)} | {"__rule__": "u1"}
    alert_id = raised(alerting, "Disk full", labels=labels)
    for path in ("/console/alerts", f"/console/alerts/{alert_id}"):
        page = browser.get(path).text
        assert "label_19" in page
        assert "__rule__" not in page
    form = browser.get(f"/console/alerts/silences/new?alert={alert_id}").text
    for name in (*labels, "bot_name"):
        assert f'value="{name}"' in form
