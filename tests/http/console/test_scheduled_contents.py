"""Alerts, pictures and documents by a schedule, in the console."""

from __future__ import annotations

import io
import re

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import ScheduledMessage, Sender, User
from backend.services import files, scheduled_messages, scheduling
from backend.services.scheduled_messages import contents
from tests.http import callers, holdings, routes
from tests.http.console.conftest import Browser
from tests.services.notifications.test_attachments import PICTURE
from tests.support import factories
from tests.support.fake_channel import FakeChannel

PATH = "/console/scheduler/messages"
NEW = {"bot_name": "news", "chat_ids": "-5001", "kind": "cron", "cron": "0 9 * * *", "timezone": "UTC", "enabled": "on"}
ALERT = {"content": "alert", "title": "Backup check", "message": "Look at it", "severity": "info"}


@pytest.fixture
def person(app, no_bot) -> User:
    FakeChannel().install()
    return callers.member(role="operator", email="sam@example.com")


@pytest.fixture(autouse=True)
def bot(person: User) -> Sender:
    made = holdings.bot(holdings.home(person), name="news")
    callers.commit()
    return made


@pytest.fixture
def picture(person: User) -> int:
    with workspace_scope(person.workspace_id):
        made = files.upload(factories.by("user:1"), "a.png", io.BytesIO(PICTURE)).id
    callers.commit()
    return made


def planned() -> contents.Planned:
    db.session.rollback()
    with system_scope("a test"):
        return contents.of(db.session.scalars(select(ScheduledMessage)).one())


def plan(browser: Browser, **form: str) -> str:
    made = browser.post(PATH, NEW | form)
    assert made.status_code == 303, made.text
    return str(made.headers["Location"])


def test_an_alert_is_planned_shown_and_changed_without_losing_what_the_form_does_not_show(
    browser: Browser, person: User
) -> None:
    address = plan(browser, **ALERT)
    assert planned().value | ALERT == planned().value | {"content": "alert"}
    for shown in (address, f"{address}/change", "/console/scheduler"):
        assert "Backup check" in browser.get(shown).text
    number = int(address.rsplit("/", 1)[1])
    with workspace_scope(person.workspace_id):
        extra = planned().value | {"labels": {"team": "ops"}, "throttle_key": "backup"}
        scheduled_messages.change(factories.by("user:1"), number, {"alert": extra})
    callers.commit()
    assert browser.post(f"{address}/change", NEW | ALERT | {"title": "Backup?"}).status_code == 303
    assert planned().value == extra | {"title": "Backup?"}


def test_an_alert_of_a_title_alone_shows_no_empty_text(browser: Browser) -> None:
    said = plan(browser, **ALERT)
    silent = plan(browser, **ALERT | {"title": "Alone", "message": ""})
    assert "<dt>Text</dt>" in browser.get(said).text
    assert "<dt>Text</dt>" not in browser.get(silent).text


def test_a_plan_for_the_bots_own_chats_says_so(browser: Browser, bot: Sender) -> None:
    with system_scope("a test"):
        bot.chat_ids = ("-5001",)
        callers.commit()
    address = plan(browser, content="message", message="Good morning!", chat_ids="")
    assert re.search(r"own chats\s*</dd>", browser.get(address).text)


def test_a_file_is_planned_by_its_number_or_its_address(browser: Browser, picture: int) -> None:
    address = plan(browser, content="photo", file_id=str(picture), message="Figures")
    assert planned() == contents.Planned("photo", {"file_id": picture, "caption": "Figures"})
    assert f"#{picture}" in browser.get(address).text
    change = {"content": "document", "url": "https://example.com/a.pdf", "message": ""}
    assert browser.post(f"{address}/change", NEW | change).status_code == 303
    assert planned() == contents.Planned("document", {"url": "https://example.com/a.pdf"})
    form = browser.get(f"{address}/change").text
    assert 'value="https://example.com/a.pdf"' in form
    assert browser.post(f"{address}/change", NEW | {"content": "message", "message": "Words"}).status_code == 303
    assert planned() == contents.Planned("message", "Words")


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"content": "message", "message": ""}, "message", "Text is needed."),
        ({"content": "alert", "title": "", "message": ""}, "title", "An alert needs a title or a text."),
        ({"content": "alert", "title": "x", "severity": "?!"}, "severity", "Severity: choose one of the list."),
        ({"content": "photo"}, "url", "either an address or an uploaded file"),
        ({"content": "photo", "file_id": "999999"}, "file_id", "There is no such file."),
        ({"content": "photo", "file_id": "x"}, "file_id", "is a whole number."),
        ({"content": "document", "url": "ftp://example.com/a"}, "url", "An http(s) address is needed."),
        ({"content": "document", "url": "http://127.0.0.1/a"}, "url", "public server"),
        ({"content": "nonsense", "message": ""}, "message", "Text is needed."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_planned(
    browser: Browser, form: dict[str, str], field: str, words: str
) -> None:
    before = routes.fingerprint()
    refused = browser.post(PATH, NEW | form)
    assert refused.status_code in (404, 422)
    assert f'id="{field}-err"' in refused.text
    assert words in refused.text
    assert routes.fingerprint() == before


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("message", set()),
        ("alert", {"title", "severity"}),
        ("photo", {"url", "file_id"}),
        ("document", {"url", "file_id"}),
    ],
)
def test_each_content_has_its_own_fields(browser: Browser, content: str, fields: set[str]) -> None:
    part = browser.get(f"{PATH}/content?content={content}&title=Typed", headers={"HX-Request": "true"}).text
    assert {name for name in ("title", "severity", "url", "file_id") if f'name="{name}"' in part} == fields
    assert ("Typed" in part) == (content == "alert")
    assert ("below its title" in part) == (content == "alert")
    assert ("under the file" in part) == (content in ("photo", "document"))


def test_the_history_leads_to_the_alert(browser: Browser) -> None:
    address = plan(browser, **ALERT)
    clock.move(86_400)
    scheduling.drain(Turn(60.0))
    db.session.rollback()
    page = browser.get(address).text
    assert 'href="/console/alerts/1"' in page
    assert "<code>sent</code>" in page


def test_the_form_is_in_korean_too(browser: Browser) -> None:
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    page = browser.get(f"{PATH}/new").text
    for words in ("보낼 것", "알림", "사진", "문서"):
        assert words in page
    assert "사진 파일이 아닙니다" not in page
    assert "그런 파일이 없습니다" in browser.post(PATH, NEW | {"content": "photo", "file_id": "9"}).text
