"""The inbox in a browser: by the keyboard alone, with another operator, on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, fits
from tests.support.installation import Installation

SEED = """
from datetime import timedelta
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Workspace
from tests.support import factories, inbox

with system_scope("a test"):
    home = db.session.query(Workspace).order_by(Workspace.id).first()
bot = factories.bot(home, name="Harbour Row")
for name, lines in {people!r}.items():
    chat = inbox.conversation(home, bot, name, last_activity_at=clock.now() - timedelta(days=1))
    for number, line in enumerate(lines):
        inbox.receive(chat, line, happened_at=clock.now() - timedelta(minutes=len(lines) - number))
    print(chat.id)
db.session.commit()
"""
SAID = """
from backend.core.database import db, system_scope
from backend.models import Conversation
from tests.support import inbox

with system_scope("a test"):
    chat = db.session.get_one(Conversation, {chat})
inbox.receive(chat, {text!r})
db.session.commit()
"""


def seeded(site: Installation, **people: list[str]) -> list[int]:
    """Conversations with these people, who wrote these lines; their ids."""
    return [int(line) for line in site.python(SEED.format(people=people)).split()]


def writes(site: Installation, chat: int, text: str) -> None:
    """The person of a conversation writes."""
    site.python(SAID.format(chat=chat, text=text))


def is_live(page: Page) -> None:
    """Waits until the page follows what happens."""
    expect(page.locator("#live .live-text")).to_have_text("Live")


def test_a_conversation_is_worked_on_by_the_keyboard_alone(page: Page, site: Installation) -> None:
    _, jo = seeded(site, Mina=["Is the room still free?"], Jo=["Thursday?", "Or Friday?"])
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page).to_have_url(f"{site.url}/console/inbox")
    is_live(page)
    expect(page.locator("#inbox-count")).to_contain_text("2")
    expect(page).to_have_title("(2) Inbox · Switchboard")
    page.keyboard.press("j")
    expect(page.locator(f"#conv-{jo}")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="Jo", exact=True)
    expect(heading).to_be_focused()
    expect(page).to_have_url(f"{site.url}/console/inbox/{jo}")
    expect(page.locator("#inbox-count")).to_contain_text("1")
    page.keyboard.press("r")
    page.keyboard.type("Friday at five.")
    expect(page.locator("#draft")).to_have_text("Draft saved")
    page.keyboard.press("Control+Enter")
    bubble = page.locator(".bubble[data-from=us]")
    expect(bubble).to_contain_text("Friday at five.")
    expect(page.locator("#words")).to_have_value("")
    expect(page.locator("#words")).to_be_focused()
    assert site.rows("SELECT via, state FROM messages WHERE direction = 'out'") == [("console", "queued")]
    page.keyboard.press("Escape")
    expect(heading).to_be_focused()
    page.keyboard.press("n")
    page.keyboard.type("Ask about the keys")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".bubble[data-from=note]")).to_contain_text("Ask about the keys")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.keyboard.type("Keys")
    page.keyboard.press("Enter")
    expect(page.locator("#conv-person .label-chip")).to_have_text("Keys")
    page.locator("#conversation h2").first.focus()
    page.keyboard.press("a")
    page.keyboard.type("ad")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("answers now.")
    page.locator("#conversation h2").first.focus()
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    expect(page.locator("#conv-strip")).to_contain_text("Snoozed until they write.")
    expect(page.locator(f"#conv-{jo}")).to_have_count(0)
    page.locator("#conversation h2").first.focus()
    page.keyboard.press("e")
    expect(page.locator("#conv-strip")).to_contain_text("Closed.")
    page.locator("#toasts").get_by_role("button", name="Undo").last.click()
    expect(page.locator("#conv-strip")).not_to_contain_text("Closed.")
    page.locator("#conversation h2").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".convs a:focus")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("Who answers")


def test_what_arrives_stands_on_the_open_page_and_moves_nothing(page: Page, site: Installation) -> None:
    [mina] = seeded(site, Mina=[f"Line {number} of a long story." for number in range(40)])
    page.goto(f"/console/inbox/{mina}")
    is_live(page)
    thread = page.locator("[data-bottom]")
    expect(page.locator(".bubble").last).to_be_in_viewport()
    expect(page.locator("#inbox-count")).to_have_text("")  # what is shown was read
    page.locator("#words").fill("Half an answer")
    thread.evaluate("box => { box.scrollTop = 100; }")
    place = page.locator(".bubble", has_text="Line 3 of").evaluate("one => one.getBoundingClientRect().top")
    writes(site, mina, "And one thing more!")
    expect(page.locator(".bubble").last).to_contain_text("And one thing more!", timeout=5000)
    expect(page.locator("#words")).to_have_value("Half an answer")
    expect(page.locator("#newest")).to_be_visible()
    moved = page.locator(".bubble", has_text="Line 3 of").evaluate("one => one.getBoundingClientRect().top")
    assert abs(moved - place) < 2
    page.locator("#newest").click()
    expect(page.locator(".bubble").last).to_be_in_viewport()
    expect(page.locator("#newest")).to_be_hidden()
    expect(page.locator(f"#conv-{mina}")).to_contain_text("And one thing more!")


def test_two_people_answer_and_the_second_one_is_asked(
    page: Page, site: Installation, open_browser: Callable[..., Page]
) -> None:
    [mina] = seeded(site, Mina=["Is the room still free?"])
    page.goto(f"/console/inbox/{mina}")
    other = open_browser()
    other.goto(f"/console/inbox/{mina}")
    is_live(page)
    page.locator("#words").fill("Yes, it is.")
    page.evaluate("globalThis.setTimeout = () => 0")  # from here on this page hears of nothing
    other.locator("#words").fill("It is free from May.")
    other.keyboard.press("Control+Enter")
    expect(other.locator(".bubble[data-from=us]")).to_contain_text("from May")
    page.get_by_role("button", name="Send", exact=True).click()
    dialog = page.locator("#moved")
    expect(dialog).to_contain_text("Something newer arrived")
    expect(dialog).to_contain_text("It is free from May.")
    expect(page.locator("#words")).to_have_value("Yes, it is.")
    assert site.rows("SELECT count(*) FROM messages WHERE direction = 'out'") == [(1,)]
    dialog.get_by_role("button", name="Send all the same").click()
    expect(page.locator("#words")).to_have_value("")
    expect(other.locator(".bubble[data-from=us]").last).to_contain_text("Yes, it is.")


def test_who_else_writes_is_seen(page: Page, site: Installation, open_browser: Callable[..., Page]) -> None:
    [mina] = seeded(site, Mina=["Hello"])
    invited(site, "kim@example.com", "Kim Doyle")
    page.goto(f"/console/inbox/{mina}")
    is_live(page)
    other = open_browser(email="kim@example.com")
    other.goto(f"/console/inbox/{mina}")
    expect(page.locator("#writing")).to_have_text(re.compile("Kim Doyle is looking"))
    other.locator("#words").press_sequentially("Hi")
    expect(page.locator("#writing")).to_have_text(re.compile("Kim Doyle is writing here too"))


def test_a_canned_reply_is_chosen_by_its_slash(page: Page, site: Installation) -> None:
    [mina] = seeded(site, Mina=["Hello"])
    page.goto("/console/inbox/canned")
    page.get_by_role("link", name="New canned reply").first.click()
    page.locator("#name").fill("Viewing")
    page.locator("#shortcut").fill("viewing")
    page.locator("#text").fill("Which day suits you, {contact.first_name}?")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    page.goto(f"/console/inbox/{mina}")
    page.keyboard.press("r")
    page.keyboard.type("/")
    expect(page.locator("#canned-list")).to_contain_text("Which day suits you, Mina?")
    page.keyboard.type("view")
    page.keyboard.press("Enter")
    expect(page.locator("#words")).to_have_value("Which day suits you, Mina?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".bubble[data-from=us]")).to_contain_text("Which day suits you, Mina?")


def test_people_and_words_are_found(page: Page, site: Installation) -> None:
    mina, jo = seeded(site, Mina=["Where is the red lamp?"], Jo=["Thursday?"])
    page.goto("/console/inbox")
    page.keyboard.press("/")
    page.keyboard.type("mina")
    page.keyboard.press("Enter")
    expect(page.locator(f"#conv-{mina}")).to_be_visible()
    expect(page.locator(f"#conv-{jo}")).to_have_count(0)
    page.locator("#q").fill("red lamp")
    page.keyboard.press("Enter")
    hit = page.locator("#inbox-rows a", has_text="Where is the red lamp?").last
    hit.click()
    expect(page.locator(".bubble", has_text="Where is the red lamp?")).to_be_in_viewport()
    page.locator("#q").fill("nobody at all")
    page.keyboard.press("Enter")
    expect(page.locator("#inbox-rows")).to_contain_text("Nothing found")
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator(".convs a")).to_have_count(2)


def test_what_did_not_go_stays_and_says_why(page: Page, site: Installation) -> None:
    [mina] = seeded(site, Mina=["Hello"])
    page.goto(f"/console/inbox/{mina}")
    page.locator("#words").fill("   ")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#said")).to_contain_text("Write something, or attach a file.")
    page.locator("#words").fill("x" * 5000)
    page.locator("#composer [type=submit][data-sends]").click()
    expect(page.locator("#words")).to_have_value("")


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_inbox_fits_a_phone(site: Installation, open_browser: Callable[..., Page], locale: str) -> None:
    phone = open_browser(PHONE, has_touch=True, is_mobile=True)
    site.api("PATCH", "/api/auth/me", {"locale": locale}, status=200)
    [mina] = seeded(site, Mina=["Hello", f"{'https://example.com/' + 'long' * 40}"])
    phone.goto("/console/inbox?show=all")
    assert fits(phone)
    phone.locator(f"#conv-{mina}").tap()
    expect(phone.locator("#words")).to_be_visible()
    expect(phone.locator("[data-pane=list]")).to_be_hidden()
    assert fits(phone)
    phone.locator("#words").fill("On my way")
    phone.locator("[data-sends]").tap()
    expect(phone.locator(".bubble[data-from=us]")).to_contain_text("On my way")
    assert fits(phone)
    phone.locator(".to-person .btn").tap()
    expect(phone.locator("#conv-person")).to_be_visible()
    assert fits(phone)
    phone.locator(".to-thread .btn").tap()
    expect(phone.locator("#words")).to_be_visible()
    phone.locator(".to-list .btn").tap()
    expect(phone.locator(f"#conv-{mina}")).to_be_visible()
    expect(phone).to_have_url(f"{site.url}/console/inbox?show=all")
    for address in ("?show=closed", "?q=mina", f"/{mina}?view=person", "/canned", "/canned/new"):
        phone.goto(f"/console/inbox{address}")
        assert fits(phone), address
    for menu in ("shows", "filters"):
        phone.goto("/console/inbox")
        phone.evaluate(f"document.getElementById('{menu}').showPopover()")
        assert fits(phone), menu


def invited(site: Installation, email: str, name: str) -> None:
    """Another operator of the workspace, with the admin's password."""
    site.python(
        "from backend.core.database import db, system_scope\n"
        "from backend.models import User\n"
        "from tests.support import factories\n"
        "with system_scope('a test'):\n"
        "    ada = db.session.query(User).filter_by(email='ada@example.com').one()\n"
        "    home = ada.workspace_id\n"
        "    from backend.models import Workspace\n"
        "    of = db.session.get_one(Workspace, home)\n"
        f"factories.user(of, role='operator', email='{email}', name='{name}', password_hash=ada.password_hash)\n"
        "db.session.commit()\n"
    )
