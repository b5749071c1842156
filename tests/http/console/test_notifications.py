"""Notifications: the log with its filters, the trace of an event, the types and who is linked."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event as sql_events
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Attempt, Delivery, Message, NotificationEvent, NotificationType
from backend.services import notifications
from tests.http import callers, holdings
from tests.http.console.conftest import Browser
from tests.http.console.test_shell import person_workspace
from tests.support import factories

LOG = "/console/notifications"
TYPES = f"{LOG}/types"
NEW = {"name": "order_shipped", "title": "Order shipped", "template_en": "Order {order.id} for {customer|somebody}"}


def report(person, type_name="post_success", **values):
    with workspace_scope(person.workspace_id):
        made = notifications.report(factories.by("user:1"), type_name, person, {"platform": "instagram"}, **values).id
    callers.commit()
    return made


def rows(model):
    with system_scope("a test"):
        return list(db.session.scalars(select(model).order_by(model.id)))


def shown(page):
    return [int(found) for found in re.findall(r'id="event-(\d+)"', page.text)]


@pytest.fixture
def linked(person):
    holdings.linked(person)
    callers.commit()


def test_an_empty_log_says_what_it_is_for(browser):
    assert "Nothing was reported yet" in browser.get(LOG).text


def test_the_log_shows_the_newest_first_with_what_was_decided(browser, person, linked):
    first = report(person)
    with workspace_scope(person.workspace_id):
        notifications.change(factories.by("user:1"), person, {"types": {"post_failure": False}})
    second = report(person, "post_failure")
    page = browser.get(LOG)
    assert shown(page) == [second, first]
    assert "The person has muted this type." in page.text
    assert "Queued" in page.text


def test_the_log_is_filtered_by_the_address(browser, person, linked):
    other = callers.member(person_workspace(person), name="Robin Example")
    sent, theirs = report(person), report(other, "post_failure")
    assert shown(browser.get(f"{LOG}?type=post_failure")) == [theirs]
    assert shown(browser.get(f"{LOG}?decision=queued")) == [sent]
    assert shown(browser.get(f"{LOG}?person={other.id}")) == [theirs]
    assert "Robin Example" in browser.get(f"{LOG}?person={other.id}").text
    nothing = browser.get(f"{LOG}?type=post_failure&decision=queued")
    assert shown(nothing) == []
    assert "Clear filters" in nothing.text
    assert shown(browser.get(f"{LOG}?decision=nonsense&person=x")) == [theirs, sent]


def test_a_person_or_event_of_another_workspace_is_not_there(app, browser, person):
    stranger = callers.member()
    foreign = report(stranger)
    assert browser.get(f"{LOG}?person={stranger.id}").status_code == 404
    assert browser.get(f"{LOG}/{foreign}").status_code == 404
    assert browser.get(f"{LOG}/{10**30}").status_code == 404
    assert browser.get(f"{LOG}?person={10**30}").status_code == 200
    with workspace_scope(stranger.workspace_id):
        type_id = holdings.notification_type(stranger)
    callers.commit()
    assert browser.get(f"{TYPES}/{10**30}").status_code == 404
    path = f"{TYPES}/{type_id}"
    assert browser.get(path).status_code == 404
    assert browser.post(path, NEW).status_code == 404
    assert browser.post(f"{path}/delete").status_code == 404
    assert len(rows(NotificationType)) == 1


def test_older_events_are_a_page_further(browser, person):
    made = [report(person) for _ in range(53)]
    first = browser.get(f"{LOG}?type=post_success")
    assert shown(first) == made[::-1][:50]
    older = re.search(r'href="(/console/notifications\?cursor=[^"]+)"', first.text)
    assert older is not None
    second = browser.get(older[1].replace("&amp;", "&"))
    assert shown(second) == made[::-1][50:]
    assert browser.get(f"{LOG}?cursor=nonsense").status_code == 422


def test_the_log_asks_a_bounded_number_of_queries(browser, person, linked):
    def asked():
        statements = []
        listener = lambda *given: statements.append(given[2])  # noqa: E731
        sql_events.listen(db.engine, "before_cursor_execute", listener)
        browser.get(LOG, headers={"HX-Request": "true"})
        sql_events.remove(db.engine, "before_cursor_execute", listener)
        return len(statements)

    report(person)
    few = asked()
    for _ in range(20):
        report(callers.member(person_workspace(person)))
        report(person)
    assert asked() <= few


def test_the_script_gets_the_table_alone(browser, person):
    made = report(person)
    part = browser.get(LOG, headers={"HX-Request": "true"})
    assert shown(part) == [made]
    assert "<html" not in part.text


def test_an_event_has_an_address_with_its_trace(browser, person, linked):
    made = report(person, subject="post:8841", version=3)
    (message,) = rows(Message)
    with system_scope("a test"):
        (due,) = rows(Delivery)
        due.attempts, due.reason = 1, "rate_limited"
        for phase, code in (("started", None), ("retry", "rate_limited")):
            db.session.add(
                Attempt(
                    workspace_id=person.workspace_id, sender_id=message.sender_id, chat_key=1, message_id=message.id,
                    delivery_id=due.id, part=0, operation="send", phase=phase, code=code, epoch=1, at=clock.now(),
                )
            )  # fmt: skip
    callers.commit()
    page = browser.get(f"{LOG}/{made}?type=post_success")
    assert page.status_code == 200
    for said in ("post:8841", "user:1", "Not sent; tried again by itself.", "rate_limited", "Retrying", "@example"):
        assert said in page.text
    assert "Instagram" in page.text
    part = browser.get(f"{LOG}/{made}", headers={"HX-Request": "true"})
    assert "post:8841" in part.text
    assert "<html" not in part.text


def test_an_event_that_was_not_sent_says_why(browser, person):
    page = browser.get(f"{LOG}/{report(person)}")
    assert "No linked Telegram." in page.text


def test_a_deferred_event_says_until_when(browser, person, linked):
    with workspace_scope(person.workspace_id):
        start, end = (clock.now().strftime("%H:00"), f"{(clock.now().hour + 2) % 24:02d}:00")
        notifications.change(
            factories.by("user:1"), person, {"quiet_hours": {"start": start, "end": end}, "timezone": "UTC"}
        )
    page = browser.get(f"{LOG}/{report(person)}")
    assert "Deferred" in page.text
    assert "Quiet hours." in page.text


def test_what_an_application_reports_is_shown_and_not_run(browser, person, linked):
    made = report(person, subject="<script>alert(1)</script>")
    page = browser.get(f"{LOG}/{made}")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_who_is_linked_and_who_is_not(browser, person, linked):
    callers.member(person_workspace(person), name="Robin Example")
    callers.member(name="Robin Elsewhere")
    page = browser.get(f"{LOG}/people").text
    assert "Connected" in page
    assert "Robin Example" in page
    assert "No Telegram" in page
    assert "Elsewhere" not in page


def test_a_test_message_leads_who_is_not_linked_to_where_they_link(browser, person):
    assert browser.post(f"{LOG}/test").headers["Location"] == "/console/telegram"
    holdings.linked(person)
    callers.commit()
    assert browser.post(f"{LOG}/test").headers["Location"] == LOG
    assert [one.kind for one in rows(Message)] == ["test"]


def test_a_type_is_made_changed_and_deleted(browser, person):
    assert "order_shipped" not in browser.get(TYPES).text
    made = browser.post(TYPES, NEW)
    assert made.status_code == 303
    (row,) = rows(NotificationType)
    assert made.headers["Location"] == f"{TYPES}/{row.id}"
    assert "order_shipped" in browser.get(TYPES).text
    assert "Order 20418 for Robin Example" in browser.get(f"{TYPES}/{row.id}").text
    korean = {"title": "Shipped", "template_ko": "주문 {order.id}\r\n발송", "button_url": "https://example.com/o"}
    assert browser.post(f"{TYPES}/{row.id}", korean).status_code == 303
    (row,) = rows(NotificationType)
    db.session.refresh(row)
    assert (row.name, row.title, row.templates) == ("order_shipped", "Shipped", {"ko": "주문 {order.id}\n발송"})
    assert browser.post(f"{TYPES}/{row.id}/delete").status_code == 303
    assert rows(NotificationType) == []
    assert "Shipped" in browser.get(TYPES).text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Order Shipped"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "post_success"}, "name"),
        ({"template_en": "Order {order.id"}, "template_en"),
        ({"template_en": ""}, "template_en"),
        ({"template_ko": "{bad()}"}, "template_ko"),
        ({"button_label": "Open"}, "button_url"),
        ({"button_url": "javascript:alert(1)"}, "button_url"),
    ],
)
def test_a_refused_type_is_named_at_its_field_and_what_was_typed_stays(browser, change, field):
    refused = browser.post(TYPES, NEW | change)
    assert refused.status_code == 422
    assert f'id="{field}-err"' in refused.text
    assert "Order shipped" in refused.text
    assert rows(NotificationType) == []


def test_a_name_that_is_taken_is_named_at_its_field(browser):
    browser.post(TYPES, NEW)
    refused = browser.post(TYPES, NEW)
    assert refused.status_code == 409
    assert 'id="name-err"' in refused.text


def test_the_preview_shows_every_language_and_keeps_nothing(browser):
    tried = {**NEW, "template_ko": "주문 <b>{order.id}</b>", "data": '{"order": {"id": "<img>"}}'}
    page = browser.post(f"{TYPES}/preview", tried)
    assert page.status_code == 200
    assert "Order &lt;img&gt; for somebody" in page.text
    assert "주문 <b>&lt;img&gt;</b>" in page.text
    assert "customer" in page.text
    assert rows(NotificationType) == []


@pytest.mark.parametrize("data", ["[1]", "{", "7", "[" * 100_000])
def test_example_data_that_is_no_object_is_said(browser, data):
    assert "not a JSON object" in browser.post(f"{TYPES}/preview", NEW | {"data": data}).text


def test_the_preview_of_a_broken_text_says_where(browser):
    assert "line 1, column 7" in browser.post(f"{TYPES}/preview", NEW | {"template_en": "Order {order.id"}).text


def test_viewers_read_types_and_change_nothing(app, browser, person):
    browser.post(TYPES, NEW)
    (row,) = rows(NotificationType)
    viewer = Browser(app, callers.member(person_workspace(person), role="viewer"))
    page = viewer.get(f"{TYPES}/{row.id}").text
    assert page.count('readonly="True"') == 5
    assert 'id="delete-now"' not in page
    assert viewer.get(f"{TYPES}/new").status_code == 403
    for path in (TYPES, f"{TYPES}/{row.id}", f"{TYPES}/{row.id}/delete"):
        assert viewer.post(path, NEW | {"title": "Mine"}).status_code == 403
    (row,) = rows(NotificationType)
    assert row.title == "Order shipped"


def test_the_pages_in_korean(browser, person):
    made = report(person)
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    assert "연결된 텔레그램이 없습니다." in browser.get(f"{LOG}/{made}").text
    assert "연결된 사람" in browser.get(f"{LOG}/people").text
    assert "이 워크스페이스의 종류" in browser.get(TYPES).text
    refused = browser.post(TYPES, {"name": "order_shipped"})
    assert "적어도 한 언어의 문구가 필요합니다." in refused.text


def test_an_event_whose_message_was_erased_is_still_shown(browser, person, linked):
    made = report(person)
    with system_scope("a test"):
        for one in rows(NotificationEvent):
            one.message_id = None
    callers.commit()
    assert browser.get(f"{LOG}/{made}").status_code == 200
