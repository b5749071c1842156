"""A person writes on WhatsApp for the first time, is answered, and after the window has closed gets a template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import EMAIL, fits
from tests.support.databases import Databases
from tests.support.graph_box import APP_SECRET, TOKEN, VERIFY_TOKEN, GraphBox
from tests.support.installation import Installation, wait_for

NUMBER, WABA, PERSON = "300000000000009", "200000000000009", "821000000009"
DAY = 25 * 3600


@pytest.fixture
def site(databases: Databases, environment: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    """An installation with a WhatsApp number of the environment, whose provider is the simulated one."""
    databases.clean()
    made = Installation(environment, tmp_path)
    try:
        graph = GraphBox(made.box)
        made.environment |= {
            "META_GRAPH_URL": graph.url,
            "META_ACCESS_TOKEN": TOKEN,
            "META_APP_SECRET": APP_SECRET,
            "META_PHONE_NUMBER_ID": NUMBER,
            "META_WABA_ID": WABA,
            "VERIFY_TOKEN": VERIFY_TOKEN,
        }
        made.start_web()
        made.start_worker("jobs", name="jobs")
        made.start_worker("dispatch", name="dispatch")
        made.register(EMAIL)
        yield made
    finally:
        made.stop()


@pytest.fixture
def graph(site: Installation) -> GraphBox:
    """The simulated provider, which delivers what Mina writes."""
    box = GraphBox(site.box)
    hook = {"url": f"{site.url}/whatsapp/webhook", "verify_token": VERIFY_TOKEN}
    box.application(webhooks={"whatsapp_business_account": hook})
    box.number(NUMBER, WABA, display="+1 555 000 0009")
    box.person(NUMBER, name="Mina", number=PERSON, bsuid="KR.MINA1")
    words = [{"type": "BODY", "text": "Hello {{1}}, is the room still of interest?"}]
    fields = {
        "name": "viewing_followup",
        "language": "en",
        "status": "APPROVED",
        "category": "UTILITY",
        "components": words,
    }
    box.control("POST", "/objects", {"kind": "template", "parent_id": WABA, "fields": fields})
    return box


def test_a_first_message_is_answered_and_after_a_day_only_a_template_goes(
    site: Installation, graph: GraphBox, page: Page
) -> None:
    page.goto("/console/inbox")
    expect(page.locator("#live .live-text")).to_have_text("Live")
    graph.inbound(NUMBER, PERSON, "Is the room still free?")
    row = page.locator(".convs a", has_text="Mina")
    expect(row).to_contain_text("Is the room still free?")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mina", exact=True)).to_be_focused()
    expect(page.locator("#conv-head")).to_contain_text("until the window closes")
    page.keyboard.press("r")
    page.keyboard.type("Yes, it is.")
    page.keyboard.press("Control+Enter")
    answer = page.locator(".bubble[data-from=us]", has_text="Yes, it is.")
    expect(answer.get_by_role("img", name="Delivered")).to_be_visible()
    assert [call["text"]["body"] for call in graph.sends()] == ["Yes, it is."]
    wait_for(lambda: site.rows("SELECT name FROM message_templates"), 60, "the templates to be read")
    site.move_clock(DAY)
    page.reload()
    expect(page.locator("#composer")).to_contain_text("WhatsApp takes only an approved template now")
    expect(page.locator("#conv-head")).to_contain_text("Window closed")
    assert fits(page)
    page.get_by_label("Value 1").fill("Mina")
    page.get_by_role("button", name="Send template").click()
    expect(page.locator(".bubble[data-from=us]").last).to_contain_text("Hello Mina, is the room still of interest?")
    expect(page.locator(".bubble[data-from=us]").last.get_by_role("img", name="Delivered")).to_be_visible()
    assert graph.sends()[-1]["template"]["name"] == "viewing_followup"
