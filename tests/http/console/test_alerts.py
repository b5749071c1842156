"""The pages about alerts: what they show, who may act, what acting does, and what is said to wrong input."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select, update

from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Alert, AlertEvent, AlertPolicy, AlertSilence, AuditEntry, User
from backend.services import alerts
from backend.services.alerts import By, Wish, policies, silences
from tests.http import callers, holdings, routes
from tests.http.console.conftest import Browser
from tests.support import factories
from tests.support.fake_channel import FakeChannel

HX = {"HX-Request": "true"}
PAGES = ("/console/alerts", "/console/alerts/silences", "/console/alerts/policies", "/console/alerts/setup")
ACTS = ("ack", "unack", "snooze", "wake", "resolve", "reopen")
HOST = {"label": "host", "op": "=", "value": "db-1"}


@pytest.fixture
def home(app, person: User) -> User:
    """The admin's workspace, with the bot named alerts and a group."""
    furnish(person)
    return person


def furnish(person: User) -> None:
    FakeChannel(part_chars=4096).install()
    holdings.default_bot(person)
    bot = factories.bot(holdings.home(person), name="alerts")
    bot.chat_ids = ("-2001",)
    callers.commit()


def raised(person: User, title: str = "Disk full", **fields: Any) -> int:
    """An alert as a program reports it."""
    with workspace_scope(person.workspace_id):
        outcome = alerts.raise_wish(person.workspace_id, Wish(title=title, **fields), By("api", "user:1"))
        callers.commit()
    assert outcome.alert_id is not None
    return outcome.alert_id


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


def test_without_alerts_the_page_says_what_it_is_for(home, browser):
    page = browser.get("/console/alerts").text
    assert "Nothing is wrong" in page
    assert 'href="/console/alerts/setup"' in page


def test_the_worst_stand_first_and_what_somebody_has_taken_last(home, browser):
    raised(home, "A warning", severity="warning")
    taken = raised(home, "A taken one", severity="critical")
    raised(home, "An own word", severity="odd")
    raised(home, "A critical one", severity="critical")
    browser.post(f"/console/alerts/{taken}/ack")
    page = browser.get("/console/alerts").text
    order = ["A critical one", "A warning", "An own word", "A taken one"]
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
def test_the_address_says_which_alerts(home, browser, query, seen):
    raised(home, "Disk full", severity="critical", labels={"host": "db-1"})
    browser.post(f"/console/alerts/{raised(home, 'Slow')}/ack")
    browser.post(f"/console/alerts/{raised(home, 'Over')}/resolve")
    for headers in ({}, HX):
        page = browser.get(f"/console/alerts?{query}", headers=headers).text
        assert {title for title in ("Disk full", "Slow", "Over") if f">{title}</a>" in page} == seen
    assert "<html" not in page


def test_text_that_cannot_be_stored_and_foreign_cursors_are_refused(home, browser):
    assert browser.get("/console/alerts?q=%00").status_code == 422
    assert browser.get("/console/alerts?state=resolved&cursor=abc").status_code == 422


def test_the_list_asks_the_database_as_often_for_many_as_for_one(home, browser, queries):
    raised(home, "First")
    queries.clear()
    browser.get("/console/alerts")
    few = len(queries)
    for number in range(6):
        raised(home, f"Number {number}")
    queries.clear()
    browser.get("/console/alerts")
    assert len(queries) == few


def test_an_alert_has_a_page_with_everything_about_it(home, browser):
    alert_id = raised(home, "Disk full", message="<b>84 %</b> & more", severity="critical", labels={"host": "db-1"})
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
    assert reason in browser.get(f"/console/alerts/{alert_id}").text


def test_addresses_that_are_none_of_the_web_are_no_links(home, browser):
    alert_id = raised(home)
    links = [{"text": "Evil", "url": "javascript:alert(1)"}, {"text": "Good", "url": "https://wiki.example.com/"}]
    with system_scope("a test"):
        db.session.execute(update(Alert).values(links=links))
    callers.commit()
    page = browser.get(f"/console/alerts/{alert_id}").text
    assert "https://wiki.example.com/" in page
    assert "javascript:" not in page


def test_what_an_alert_says_is_no_markup_of_the_page(home, browser):
    alert_id = raised(
        home, "<script>x</script>", message='<a href="javascript:x">y</a><img src=x>', labels={"a": "<b>"}
    )
    for page in (browser.get("/console/alerts").text, browser.get(f"/console/alerts/{alert_id}").text):
        assert "<script>x" not in page
        assert "<img" not in page
        assert "<b><b>" not in page


@pytest.mark.parametrize(
    ("action", "state", "undo"),
    [("ack", "acknowledged", "unack"), ("snooze", "snoozed", "wake"), ("resolve", "resolved", "reopen")],
)
def test_acting_is_said_in_a_toast_with_a_way_back(home, browser, action, state, undo):
    alert_id = raised(home)
    response = browser.client.post(
        f"/console/alerts/{alert_id}/{action}",
        data={"csrf_token": browser.csrf},
        headers={"Origin": "http://localhost", **HX},
    )
    assert response.status_code == 204
    said = response.headers["HX-Trigger"]
    assert f"/console/alerts/{alert_id}/{undo}" in said
    assert (alert(alert_id).state, alert(alert_id).by_user_id) == (state, home.id)
    assert browser.post(f"/console/alerts/{alert_id}/{undo}").status_code == 303
    assert alert(alert_id).state == "firing"
    with system_scope("a test"):
        ways = set(db.session.scalars(select(AlertEvent.via).where(AlertEvent.user_id == home.id)))
        assert ways == {"console"}
        assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == f"alert.{state}")).one()


def test_without_a_script_one_comes_back_to_the_list_as_it_was(home, browser):
    alert_id = raised(home)
    back = "/console/alerts?severity=warning"
    response = browser.post(f"/console/alerts/{alert_id}/ack", {"back": back})
    assert (response.status_code, response.headers["Location"]) == (303, back)
    assert "Acknowledged. Its messages say so." in browser.get(back).text
    for wrong in ("https://evil.example", "//evil.example", "/console//evil.example", "/console/\\evil"):
        again = browser.post(f"/console/alerts/{alert_id}/ack", {"back": wrong})
        assert again.headers["Location"] == f"/console/alerts/{alert_id}"


def test_acting_twice_says_so_and_acting_too_late_is_refused(home, browser):
    alert_id = raised(home)
    browser.post(f"/console/alerts/{alert_id}/ack")
    browser.post(f"/console/alerts/{alert_id}/ack")
    assert "It is so already." in browser.get("/console/alerts").text
    browser.post(f"/console/alerts/{alert_id}/resolve")
    assert browser.post(f"/console/alerts/{alert_id}/ack").status_code == 409


def test_only_what_the_state_allows_is_offered_and_nothing_to_a_viewer(app, home, browser):
    alert_id = raised(home)

    def offered(page: str) -> set[str]:
        return {act for act in ACTS if f'{alert_id}/{act}"' in page}

    address = f"/console/alerts/{alert_id}"
    assert offered(browser.get(address).text) == {"ack", "snooze", "resolve"}
    browser.post(f"{address}/snooze")
    assert offered(browser.get(address).text) == {"ack", "wake", "resolve"}
    browser.post(f"{address}/ack")
    assert offered(browser.get(address).text) == {"unack", "snooze", "resolve"}
    viewer = Browser(app, callers.member(holdings.home(home), role="viewer"))
    assert offered(viewer.get(address).text) == set()
    browser.post(f"{address}/resolve")
    assert offered(browser.get(address + "?state=resolved").text) == {"reopen"}


def test_another_workspaces_alerts_are_not_there(app, home):
    alert_id = raised(home, labels={"host": "db-1"})
    with workspace_scope(home.workspace_id):
        made = silences.make(By("api", "x"), [HOST], clock.now(), clock.now() + timedelta(hours=1), comment=None)
        policy_id = policy(home)
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


def policy(person: User) -> int:
    return policies.create("user:1", {"name": "Payments", "matchers": [HOST]}).id


def test_a_silence_begins_with_what_the_alert_is(home, browser):
    alert_id = raised(home, labels={"host": "db-1"})
    form = browser.get(f"/console/alerts/silences/new?alert={alert_id}", headers=HX).text
    assert 'value="db-1"' in form
    assert 'value="alerts"' in form
    assert "<html" not in form


def test_the_preview_says_what_would_fall_silent_and_stores_nothing(home, browser):
    raised(home, "On db-1", labels={"host": "db-1"})
    raised(home, "On db-2", labels={"host": "db-2"})
    before = routes.fingerprint()

    def look(*lines: tuple[str, str, str]) -> str:
        fields = [pair for line in lines for pair in zip(("label", "op", "value"), line, strict=True)]
        return browser.get("/console/alerts/silences/preview", query_string=fields).text

    one = look(("host", "=", "db-1"), ("", "=", ""))
    assert "One alert would be silent now" in one
    assert "On db-1" in one
    assert "On db-2" not in one
    assert "2 alerts would be silent now" in look(("host", "=~", "db-.*"))
    assert "no regular expression" in look(("host", "=~", "("))
    assert "Give at least one line" in look(("", "=", ""))
    assert "match everything" in look(("host", "!=", "nothing"))
    assert routes.fingerprint() == before


def test_a_silence_is_made_listed_and_ended(home, browser):
    form = {"label": ["host", ""], "op": ["=", "="], "value": ["db-1", ""], "seconds": "7200", "comment": "New rack"}
    response = browser.post("/console/alerts/silences", form)
    assert response.status_code == 303
    with system_scope("a test"):
        made = db.session.scalars(select(AlertSilence)).one()
        assert (made.matchers, made.comment, made.by_name) == ([HOST], "New rack", home.name)
        assert (made.ends_at - made.starts_at).total_seconds() == 7200
    page = browser.get("/console/alerts/silences").text
    assert "New rack" in page
    assert "Active" in page
    assert browser.get(f"/console/alerts/silences/new?again={made.id}").text.count('value="db-1"') == 1
    browser.post(f"/console/alerts/silences/{made.id}/end")
    assert "New rack" not in browser.get("/console/alerts/silences?state=active").text
    assert "New rack" in browser.get("/console/alerts/silences?state=expired").text


def test_a_silences_end_is_read_in_the_persons_zone(home, browser):
    browser.post("/console/preferences", {"timezone": "Asia/Seoul"})
    ends = (clock.now() + timedelta(days=1)).astimezone(ZoneInfo("Asia/Seoul")).replace(second=0, microsecond=0)
    form = {"label": "host", "op": "=", "value": "db-1", "ends_at": ends.strftime("%Y-%m-%dT%H:%M")}
    assert browser.post("/console/alerts/silences", form).status_code == 303
    with system_scope("a test"):
        assert db.session.scalars(select(AlertSilence.ends_at)).one() == ends


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"label": "", "op": "=", "value": ""}, "Give at least one line"),
        ({"label": "host", "op": "=~", "value": "("}, "This is no regular expression."),
        ({"label": "host", "op": "≈", "value": "a"}, "Choose one of"),
        ({"label": "host", "op": "=", "value": "a", "ends_at": "2001-01-01T10:00"}, "The end lies in the past."),
        ({"label": "host", "op": "=", "value": "a", "ends_at": "tomorrow"}, "Give a date and a time."),
        ({"label": "host", "op": "=", "value": "a", "seconds": "1"}, "That is too little."),
        ({"label": "host", "op": "!=", "value": "a"}, "match everything"),
    ],
)
def test_a_wrong_silence_is_said_at_its_field_and_what_was_typed_stays(home, browser, form, said):
    before = routes.fingerprint()
    response = browser.post("/console/alerts/silences", {**form, "comment": "Kept words"})
    assert response.status_code == 422
    assert said in response.text
    assert 'aria-invalid="true"' in response.text or 'role="alert"' in response.text
    assert "Kept words" in response.text
    assert routes.fingerprint() == before


POLICY = {
    "name": "Payments",
    "position": "1",
    "label": "service",
    "op": "=",
    "value": "payments",
    "group_by": "service, env",
    "group_wait": "10s",
    "group_interval": "5m",
    "repeat_interval": "50m",
    "acknowledged_for": "1d",
    "quiet_after": "",
    "locale": "ko",
    "quiet_recoveries": "on",
}


def test_a_policy_is_made_changed_and_deleted(home, browser):
    form = {**POLICY, "escalate_after": "1h 40m", "escalate_user_ids": [str(home.id)]}
    assert browser.post("/console/alerts/policies", form).status_code == 303
    with system_scope("a test"):
        made = db.session.scalars(select(AlertPolicy)).one()
    assert (made.group_by, made.group_wait, made.repeat_interval) == (["service", "env"], 10, 3000)
    assert (made.quiet_after, made.escalate_after, made.escalate_user_ids) == (None, 6000, [home.id])
    assert (made.quiet_recoveries, made.resolve_reply, made.locale) == (True, False, "ko")
    assert "repeats every 50m" in browser.get("/console/alerts/policies").text
    address = f"/console/alerts/policies/{made.id}"
    page = browser.get(address).text
    assert 'value="1h 40m"' in page
    assert browser.post(address, {**POLICY, "name": "Pay", "repeat_interval": ""}).status_code == 303
    with system_scope("a test"):
        db.session.expire_all()
        changed = db.session.scalars(select(AlertPolicy)).one()
        assert (changed.name, changed.repeat_interval, changed.escalate_after) == ("Pay", None, None)
    assert browser.post(f"{address}/delete").status_code == 303
    assert browser.get(address).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"repeat_interval": "soon"}, "repeat_interval", "Write a span like"),
        ({"repeat_interval": "5s"}, "repeat_interval", "That is too little."),
        ({"name": ""}, "name", "Something has to stand here."),
        ({"group_by": "bad!label"}, "group_by", "Not the name of a label."),
        ({"escalate_after": "1h"}, "escalate_after", "Say to whom"),
        ({"escalate_bot_name": "nobody", "escalate_after": "1h"}, "escalate_bot_name", "There is no bot of that name."),
        ({"escalate_chat_ids": "x y"}, "escalate_chat_ids", "Chats are numbers"),
        ({"name": "Taken"}, "name", "There is a policy of that name."),
    ],
)
def test_a_wrong_policy_is_said_at_its_field(home, browser, wrong, field, said):
    assert browser.post("/console/alerts/policies", {**POLICY, "name": "Taken"}).status_code == 303
    before = routes.fingerprint()
    response = browser.post("/console/alerts/policies", {**POLICY, **wrong})
    assert response.status_code in (404, 409, 422)
    assert f'id="{field}-err"' in response.text
    assert said in response.text
    assert routes.fingerprint() == before


def test_who_is_no_admin_reads_policies_and_changes_none(app, home, browser):
    with workspace_scope(home.workspace_id):
        policy_id = policy(home)
        callers.commit()
    operator = Browser(app, callers.member(holdings.home(home), role="operator"))
    page = operator.get(f"/console/alerts/policies/{policy_id}").text
    assert "Only admins change policies." in page
    assert '<fieldset class="stack" data-gap="5" disabled>' in page
    assert operator.post(f"/console/alerts/policies/{policy_id}", POLICY).status_code == 403
    assert operator.get("/console/alerts/policies/new").status_code == 403


def test_the_snippets_name_this_instance(home, browser):
    page = browser.get("/console/alerts/setup").text
    for path in ("alertmanager", "grafana"):
        assert f"url: {config.get().site_url.rstrip('/')}/api/alerts/{path}" in page


def test_every_page_is_there_in_both_languages(home, browser):
    alert_id = raised(home, labels={"host": "db-1"})
    with workspace_scope(home.workspace_id):
        policy_id = policy(home)
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


def test_the_overview_leads_to_an_alert_and_takes_it(app, home, browser):
    alert_id = raised(home, severity="critical")
    page = browser.get("/console/").text
    assert f'href="/console/alerts/{alert_id}"' in page
    assert f'action="/console/alerts/{alert_id}/ack"' in page
    viewer = Browser(app, callers.member(holdings.home(home), role="viewer"))
    assert "/ack" not in viewer.get("/console/").text
    response = browser.post(f"/console/alerts/{alert_id}/ack", {"back": "/console/"})
    assert response.headers["Location"] == "/console/"
    assert f"/console/alerts/{alert_id}" not in browser.get("/console/").text.split("<main")[1]
