"""The scheduler in a browser: the next times appear while one types, and a message is planned, paused and deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import EMAIL, PHONE, fits
from tests.support.installation import Installation

NEW = "/console/scheduler/messages/new"
BOT = """
    from backend.channels.base import SenderFacts
    from backend.core.database import db, workspace_scope
    from backend.services.auth.attribution import SYSTEM
    from backend.services.bots import catalog

    with workspace_scope(1):
        given = {"name": "deploy", "token": "4242:FAKE-TOKEN-visibly-fake", "chat_ids": ["-1001234567890"]}
        catalog.create(SYSTEM, given, SenderFacts("4242", "deploy_bot", "Deploy"))
        db.session.commit()
"""
OWNER = f"""
    from sqlalchemy import update
    from backend.core.database import db, system_scope
    from backend.models import User

    with system_scope("a test"):
        db.session.execute(update(User).where(User.email == {EMAIL!r}).values(is_owner=True))
        db.session.commit()
"""


@pytest.fixture
def owner(site: Installation, open_browser: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a browser of the instance's owner."""
    site.python(OWNER)
    return open_browser


def test_a_message_is_planned_with_its_next_times_in_view_and_deleted_after_a_question(
    page: Page, site: Installation
) -> None:
    site.python(BOT)
    page.goto(NEW)
    page.locator("#bot_name").select_option("deploy")
    page.locator("#message").fill("Good morning")
    page.get_by_label("Time zone").fill("Asia/Seoul")
    page.get_by_label("Cron expression").fill("0 9 * * *")
    expect(page.locator("#preview li")).to_have_count(3)
    expect(page.locator("#preview li").first).to_contain_text("09:00:00")
    page.get_by_label("Cron expression").fill("0 99 * * *")
    expect(page.locator("#preview")).to_contain_text("not a cron expression")
    page.locator("#kind").select_option("interval")
    page.locator("#every").fill("2")
    expect(page.locator("#preview li")).to_have_count(3)
    page.get_by_role("button", name="Plan message").click()
    expect(page.locator("#toasts")).to_contain_text("Message planned.")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Nothing is said before somebody resumes it.")).to_be_visible()
    page.get_by_role("button", name="Delete message…").click()
    page.get_by_role("button", name="Delete message", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Scheduled message deleted.")
    expect(page.get_by_text("Nothing is planned")).to_be_visible()


def test_the_owner_pauses_a_job(owner: Callable[..., Page]) -> None:
    page = owner()
    page.goto("/console/scheduler")
    page.get_by_role("link", name="retention", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("This job is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("This job is paused")).to_have_count(0)


def test_the_pages_fit_a_phone(owner: Callable[..., Page]) -> None:
    phone = owner(PHONE, has_touch=True, is_mobile=True)
    for address in ("/console/scheduler", NEW, "/console/scheduler/jobs/retention"):
        phone.goto(address)
        assert fits(phone)
