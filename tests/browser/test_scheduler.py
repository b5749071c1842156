"""The scheduler in a browser: the next times appear while one types, and a message is planned, paused and deleted."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import fits

NEW = "/console/scheduler/messages/new"


def test_a_message_is_planned_with_its_next_times_in_view_and_deleted_after_a_question(page: Page) -> None:
    page.goto(NEW)
    page.get_by_label("Chats").fill("-1001234567890")
    page.get_by_label("Text").fill("Good morning")
    page.get_by_label("Time zone").fill("Asia/Seoul")
    page.get_by_label("Cron expression").fill("0 9 * * *")
    expect(page.locator("#preview li")).to_have_count(3)
    expect(page.locator("#preview li").first).to_contain_text("09:00:00")
    page.get_by_label("Cron expression").fill("0 99 * * *")
    expect(page.locator("#preview")).to_contain_text("not a cron expression")
    page.get_by_label("When").select_option("interval")
    page.get_by_label("Every").fill("2")
    expect(page.locator("#preview li")).to_have_count(3)
    page.get_by_role("button", name="Plan message").click()
    expect(page.locator("#toasts")).to_contain_text("Message planned.")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Nothing is said before somebody resumes it.")).to_be_visible()
    page.get_by_role("button", name="Delete message…").click()
    page.get_by_role("button", name="Delete message", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Scheduled message deleted.")
    expect(page.get_by_text("Nothing is planned")).to_be_visible()


def test_the_owner_pauses_a_job(page: Page) -> None:
    page.goto("/console/scheduler")
    page.get_by_role("link", name="retention", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("This job is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("This job is paused")).to_have_count(0)


def test_the_pages_fit_a_phone(phone: Page) -> None:
    for address in ("/console/scheduler", NEW, "/console/scheduler/jobs/retention"):
        phone.goto(address)
        assert fits(phone)
