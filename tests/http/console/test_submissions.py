"""Forms that are sent twice."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import ScheduledMessage
from tests.http import callers, holdings
from tests.support.fake_channel import FakeChannel

PATH = "/console/scheduler/messages"
NEW = {
    "bot_name": "news",
    "chat_ids": "-5001",
    "message": "Good morning",
    "kind": "cron",
    "cron": "0 9 * * *",
    "timezone": "UTC",
}


@pytest.fixture(autouse=True)
def _bot(no_bot, person):
    FakeChannel().install()
    holdings.bot(holdings.home(person), name="news")
    callers.commit()


def planned():
    with system_scope("test"):
        found = sorted(db.session.execute(select(ScheduledMessage.message)).scalars())
        db.session.rollback()
    return found


def shown_id(page):
    (name, *_) = re.findall(r'name="form_id" value="([^"]+)"', page.text)
    return name


def test_each_form_that_is_shown_has_a_name_of_its_own(browser):
    first, second = (shown_id(browser.get(f"{PATH}/new")) for _ in range(2))
    assert first != second


def test_a_form_that_was_sent_twice_plans_once_and_leads_to_the_same_page(browser):
    form = NEW | {"form_id": shown_id(browser.get(f"{PATH}/new"))}
    first, second = browser.post(PATH, form), browser.post(PATH, form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    assert planned() == ["Good morning"]
    assert "Message planned." in browser.get(second.headers["Location"]).text


def test_another_form_and_one_with_other_contents_are_carried_out(browser):
    form = NEW | {"form_id": "one"}
    for sent in (form, form | {"message": "Good evening"}, form | {"form_id": "two"}):
        assert browser.post(PATH, sent).status_code == 303
    assert planned() == ["Good evening", "Good morning", "Good morning"]


def test_what_was_refused_may_be_sent_again(browser):
    form = NEW | {"form_id": "one"}
    assert browser.post(PATH, form | {"cron": "never"}).status_code == 422
    assert browser.post(PATH, form).status_code == 303
    assert planned() == ["Good morning"]


def test_a_button_that_stays_on_its_page_may_be_pressed_again(browser):
    message_id = int(browser.post(PATH, NEW).headers["Location"].rsplit("/", 1)[1])
    for _ in range(2):
        pressed = browser.post_by_script(f"{PATH}/{message_id}/pause", {"form_id": "one"})
        assert pressed.status_code == 204
        assert browser.post_by_script(f"{PATH}/{message_id}/resume", {"form_id": "one"}).status_code == 204


def test_a_name_that_is_none_is_not_minded(browser):
    for name in ("", "x" * 65, "a b", "\x01"):
        assert browser.post(PATH, NEW | {"form_id": name}).status_code == 303
    assert len(planned()) == 4
