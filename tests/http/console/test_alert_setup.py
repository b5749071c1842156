"""The pages of silences, policies and snippets: made, changed, ended, and what is said to wrong input."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AlertPolicy, AlertSilence
from tests.http import callers, holdings, routes
from tests.http.console.alerting import HOST, HX, policy, raised
from tests.http.console.conftest import Browser


def test_a_silence_begins_with_what_the_alert_is(alerting, browser):
    alert_id = raised(alerting, labels={"host": "db-1"})
    form = browser.get(f"/console/alerts/silences/new?alert={alert_id}", headers=HX).text
    assert 'value="db-1"' in form
    assert 'value="alerts"' in form
    assert "<html" not in form


def test_the_preview_says_what_would_fall_silent_and_stores_nothing(alerting, browser):
    raised(alerting, "On db-1", labels={"host": "db-1"})
    raised(alerting, "On db-2", labels={"host": "db-2"})
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


def test_a_silence_is_made_listed_and_ended(alerting, browser):
    form = {"label": ["host", ""], "op": ["=", "="], "value": ["db-1", ""], "seconds": "7200", "comment": "New rack"}
    response = browser.post("/console/alerts/silences", form)
    assert response.status_code == 303
    with system_scope("a test"):
        made = db.session.scalars(select(AlertSilence)).one()
        assert (made.matchers, made.comment, made.by_name) == ([HOST], "New rack", alerting.name)
        assert (made.ends_at - made.starts_at).total_seconds() == 7200
    page = browser.get("/console/alerts/silences").text
    assert "New rack" in page
    assert "Active" in page
    assert browser.get(f"/console/alerts/silences/new?again={made.id}").text.count('value="db-1"') == 1
    browser.post(f"/console/alerts/silences/{made.id}/end")
    assert "New rack" not in browser.get("/console/alerts/silences?state=active").text
    assert "New rack" in browser.get("/console/alerts/silences?state=expired").text


def test_a_silences_end_is_read_in_the_persons_zone(alerting, browser):
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
        ({"label": "host", "op": "=~", "value": "a{5000000}"}, "This pattern is too large"),
        ({"label": "host", "op": "!~", "value": "(?=a)"}, "no look-around"),
        ({"label": ["host"] * 3, "op": ["=~"] * 3, "value": ["a{900}"] * 3}, "too large together"),
        ({"label": "host", "op": "≈", "value": "a"}, "Choose one of"),
        ({"label": "host", "op": "=", "value": "a", "ends_at": "2001-01-01T10:00"}, "The end lies in the past."),
        ({"label": "host", "op": "=", "value": "a", "ends_at": "tomorrow"}, "is a date and a time."),
        ({"label": "host", "op": "=", "value": "a", "seconds": "1"}, "For is too little."),
        ({"label": "host", "op": "!=", "value": "a"}, "match everything"),
    ],
)
def test_a_wrong_silence_is_said_at_its_field_and_what_was_typed_stays(alerting, browser, form, said):
    before = routes.fingerprint()
    response = browser.post("/console/alerts/silences", {**form, "comment": "Kept words"})
    assert response.status_code == 422
    assert said in response.text
    assert 'aria-invalid="true"' in response.text or 'role="alert"' in response.text
    assert "Kept words" in response.text
    assert routes.fingerprint() == before


@pytest.mark.parametrize(("language", "words"), [("en", "Switched off by itself"), ("ko", "자동으로 중지됨")])
def test_rules_that_were_switched_off_are_shown_with_the_reason(alerting, browser, language, words):
    now = clock.now()
    with system_scope("as the product leaves them"):
        with workspace_scope(alerting.workspace_id):
            policy_id = policy(alerting)
        db.session.get_one(AlertPolicy, policy_id).disabled_code = "pattern_too_costly"
        for code in ("bad_pattern", "pattern_too_large", "pattern_too_costly", None):
            made = AlertSilence(
                workspace_id=alerting.workspace_id,
                matchers=[HOST],
                starts_at=now,
                ends_at=now + timedelta(hours=1),
                disabled_code=code,
                apply_code=None if code else "alerts_passed_over",
                created_at=now,
                updated_at=now,
            )
            db.session.add(made)
        db.session.commit()
    browser.post("/console/preferences", {"locale": language})
    page = browser.get("/console/alerts/silences").text
    assert page.count(words) == 3
    assert ("RE2" in page, "console_alerts." in page) == (True, False)
    assert browser.get("/console/alerts/silences?state=disabled").text.count(words) == 3
    assert words not in browser.get("/console/alerts/silences?state=active").text
    assert "console_alerts." not in browser.get("/console/alerts/policies").text


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


def test_a_policy_is_made_changed_and_deleted(alerting, browser):
    form = {**POLICY, "escalate_after": "1h 40m", "escalate_user_ids": [str(alerting.id)]}
    assert browser.post("/console/alerts/policies", form).status_code == 303
    with system_scope("a test"):
        made = db.session.scalars(select(AlertPolicy)).one()
    assert (made.group_by, made.group_wait, made.repeat_interval) == (["service", "env"], 10, 3000)
    assert (made.quiet_after, made.escalate_after, made.escalate_user_ids) == (None, 6000, [alerting.id])
    assert (made.quiet_recoveries, made.resolve_reply, made.locale) == (True, False, "ko")
    assert "repeats every 50 min" in browser.get("/console/alerts/policies").text
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
        ({"repeat_interval": "soon"}, "repeat_interval", "is a span of time, such as 30s"),
        ({"repeat_interval": "5s"}, "repeat_interval", "is too little."),
        ({"name": ""}, "name", "Name is needed."),
        ({"group_by": "bad!label"}, "group_by", "Not the name of a label."),
        ({"escalate_after": "1h"}, "escalate_after", "Say to whom"),
        ({"escalate_bot_name": "nobody", "escalate_after": "1h"}, "escalate_bot_name", "There is no such bot."),
        ({"escalate_chat_ids": "x y"}, "escalate_chat_ids", "A chat is a number such as"),
        ({"name": "FastRequest"}, "name", "There is a policy of that name."),
    ],
)
def test_a_wrong_policy_is_said_at_its_field(alerting, browser, wrong, field, said):
    assert browser.post("/console/alerts/policies", {**POLICY, "name": "FastRequest"}).status_code == 303
    before = routes.fingerprint()
    response = browser.post("/console/alerts/policies", {**POLICY, **wrong})
    assert response.status_code in (404, 409, 422)
    assert f'id="{field}-err"' in response.text
    assert said in response.text
    assert routes.fingerprint() == before


def test_who_is_no_admin_reads_policies_and_changes_none(app, alerting, browser):
    with workspace_scope(alerting.workspace_id):
        with workspace_scope(alerting.workspace_id):
            policy_id = policy(alerting)
        callers.commit()
    operator = Browser(app, callers.member(holdings.home(alerting), role="operator"))
    page = operator.get(f"/console/alerts/policies/{policy_id}").text
    assert "Only admins change policies." in page
    assert '<fieldset class="stack" data-gap="5" disabled>' in page
    assert operator.post(f"/console/alerts/policies/{policy_id}", POLICY).status_code == 403
    assert operator.get("/console/alerts/policies/new").status_code == 403


def test_the_snippets_name_this_instance(alerting, browser):
    page = browser.get("/console/alerts/setup").text
    for path in ("alertmanager", "grafana"):
        assert f"url: {config.get().site_url.rstrip('/')}/api/alerts/{path}" in page
