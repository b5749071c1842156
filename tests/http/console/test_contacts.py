"""Contacts in the console: the list by its address, a person with everything known, forms and who may send them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.inbound import Person
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Consent, Contact, ContactField, Message, Segment, Suppression, Tag, User
from backend.services import conversations
from backend.services.contacts import consents, custom_fields, records, suppressions, tags
from tests.http import callers
from tests.http.console.conftest import Browser
from tests.http.console.test_shell import person_workspace
from tests.support import factories

LIST = "/console/contacts"
ADA = {"first_name": "Ada", "last_name": "Sample", "company": "Example Mills", "phone": "+44 7700 900123"}


def rows(model):
    with system_scope("a test"):
        return list(db.session.scalars(select(model).order_by(model.id)))


def stored(person: User, **values) -> int:
    with workspace_scope(person.workspace_id):
        contact_id = records.create(factories.by("user:1"), ADA | values).id
    callers.commit()
    return contact_id


def listed(page) -> list[int]:
    return [int(found) for found in re.findall(r'id="contact-(\d+)"', page.text)]


@pytest.fixture
def ada(person: User) -> int:
    return stored(person, email="ada@example.com", tags=["VIP"])


@pytest.fixture
def viewer(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="viewer"))


@pytest.fixture
def operator(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="operator"))


def test_an_empty_list_says_what_to_do(browser):
    page = browser.get(LIST)
    assert "No contacts yet" in page.text
    assert f"{LIST}/imports/new" in page.text


def test_the_list_shows_the_newest_first_by_what_the_address_asks(browser, person, ada):
    bob = stored(person, first_name="Bob", phone="+44 7700 900124", company=None)
    assert listed(browser.get(LIST)) == [bob, ada]
    assert listed(browser.get(f"{LIST}?q=ada")) == [ada]
    assert listed(browser.get(f"{LIST}?q=%2B44+7700+900124")) == [bob]
    assert listed(browser.get(f"{LIST}?tag=VIP")) == [ada]
    assert listed(browser.get(f"{LIST}?without_tag=VIP&has=phone")) == [bob]
    page = browser.get(f"{LIST}?tag=Nobody")
    assert "Nobody fits these filters" in page.text
    assert "2 contacts" in browser.get(LIST).text


def test_a_filter_that_means_nothing_is_left_out(browser, ada):
    for query in ("owner_id=x", "has=nonsense", "field=nothing", "field=nothing:1", "segment_id=99", "created_from=x"):
        assert listed(browser.get(f"{LIST}?{query}")) == [ada], query
    assert browser.get(f"{LIST}?cursor=nonsense").status_code == 422


def test_each_filter_of_the_address_can_be_taken_away_alone(browser, ada):
    page = browser.get(f"{LIST}?tag=VIP&tag=Old&q=ada")
    assert f'href="{LIST}?q=ada&amp;tag=Old"' in page.text
    assert f'href="{LIST}?tag=VIP&amp;tag=Old"' in page.text


def test_the_script_gets_the_table_alone(browser, ada):
    part = browser.get(LIST, headers={"HX-Request": "true"})
    assert listed(part) == [ada]
    assert "<html" not in part.text


def test_older_contacts_are_a_page_further_and_keep_the_filters(browser, person):
    ids = [stored(person, phone=f"+44 7700 900{number}", tags=["many"]) for number in range(200, 252)]
    page = browser.get(f"{LIST}?tag=many")
    assert listed(page) == ids[::-1][:50]
    older = re.search(r'href="(/console/contacts\?cursor=[^"]+)"', page.text)
    assert older is not None
    assert listed(browser.get(older[1].replace("&amp;", "&"))) == ids[::-1][50:]


def test_a_person_has_an_address_with_everything_known(browser, person, ada):
    with workspace_scope(person.workspace_id):
        custom_fields.create(factories.by("user:1"), "seats", "Seats", "number")
        known = {"fields": {"seats": 4}, "owner_id": person.id, "telegram_user_id": "424242"}
        contact = records.change(factories.by("user:1"), ada, known)
        consents.record(
            factories.by("user:1"), contact, {"channel": "telegram", "wording": "Write to me", "source": "form"}
        )
        home = person_workspace(person)
        bot = factories.bot(home, name="front desk")
        known_as = conversations.identity_of("telegram_bot", Person("424242", "Ada"), workspace_id=home.id)
        talked = {"identity_id": known_as.id, "last_inbound_at": clock.now()}
        chat = factories.conversation(home, bot, "424242", **talked)
        own = {"conversation_id": chat.id, "sender_id": bot.id, "direction": "in", "kind": "text", "state": "received"}
        content = {"body": {"parts": [{"text": "what she wrote"}]}, "created_at": clock.now()}
        db.session.add(Message(workspace_id=home.id, **own, **content))
    callers.commit()
    page = browser.get(f"{LIST}/{ada}")
    for words in ("Ada Sample", "Example Mills", "+44 7700 900123", "ada@example.com", "Seats", "VIP", "front desk"):
        assert words in page.text, words
    assert "Given for marketing, Telegram" in page.text
    assert "Write to me" in page.text
    assert "Wrote to us" in page.text
    assert "what she wrote" not in page.text
    part = browser.get(f"{LIST}/{ada}", headers={"HX-Request": "true"})
    assert "Ada Sample" in part.text
    assert "<html" not in part.text


def test_what_consent_amounts_to_stands_in_the_list(browser, person, ada):
    def record(**entry):
        with workspace_scope(person.workspace_id):
            consents.record(factories.by("user:1"), records.get(ada), {"channel": "telegram", "source": "form"} | entry)
        callers.commit()

    def cell():
        text = browser.get(LIST, headers={"HX-Request": "true"}).text
        return text[text.index(f'id="contact-{ada}"') :]

    assert "None known" in cell()
    record(expires_at=clock.now() + timedelta(days=10))
    assert "Ends soon" in cell()
    record()
    assert "shield-check" in cell()
    record(state="withdrawn")
    assert "Withdrawn" in cell()
    with workspace_scope(person.workspace_id):
        suppressions.suppress_contact(factories.by("user:1"), ada, code="requested", source="api")
    callers.commit()
    assert "Suppressed" in cell()


def test_a_contact_is_added_once_and_erased(browser, person):
    response = browser.post(LIST, ADA | {"tags": "VIP, Fair 2026", "form_id": "one"})
    assert response.status_code == 303
    (contact,) = rows(Contact)
    assert (contact.first_name, contact.source) == ("Ada", "console")
    assert {tag.name for tag in rows(Tag)} == {"VIP", "Fair 2026"}
    again = browser.post(LIST, ADA | {"tags": "VIP, Fair 2026", "form_id": "one"})
    assert again.headers["Location"] == response.headers["Location"]
    assert len(rows(Contact)) == 1
    assert "Ada Sample added." in browser.get(response.headers["Location"]).text
    assert browser.post(f"{LIST}/{contact.id}/erase").status_code == 303
    assert browser.get(f"{LIST}/{contact.id}").status_code == 404


def test_a_refused_form_keeps_what_was_typed_and_names_the_field(browser, ada):
    refused = browser.post(LIST, {"first_name": "Bob", "phone": "12", "region": "XX1", "email": "x"})
    assert refused.status_code == 422
    assert 'value="Bob"' in refused.text
    assert 'id="region-err"' in refused.text
    unread = browser.post(LIST, {"first_name": "Bob", "phone": "12"})
    assert 'id="phone-err"' in unread.text
    known = browser.post(LIST, {"first_name": "Bob", "email": "Ada@Example.com"})
    assert known.status_code == 409
    assert 'id="email-err"' in known.text
    assert f'href="{LIST}/{ada}"' in known.text
    assert "has a name" in browser.post(LIST, {}).text
    assert len(rows(Contact)) == 1


def test_a_change_keeps_what_is_not_in_the_form_and_empties_what_is_left_empty(browser, person, ada):
    with workspace_scope(person.workspace_id):
        custom_fields.create(factories.by("user:1"), "seats", "Seats", "number")
        custom_fields.create(factories.by("user:1"), "guest", "Guest", "boolean")
        records.change(factories.by("user:1"), ada, {"fields": {"seats": 4, "guest": True}})
    callers.commit()
    form = browser.get(f"{LIST}/{ada}/change")
    assert 'value="+44 7700 900123"' in form.text
    given = {"first_name": "Ada", "last_name": "", "phone": "+44 7700 900123", "email": "", "tags": "New"}
    response = browser.post(f"{LIST}/{ada}/change", given | {"field_seats": "5", "field_guest": ""})
    assert response.status_code == 303
    page = browser.get(f"{LIST}/{ada}")
    assert "ada@example.com" not in page.text
    (contact,) = rows(Contact)
    assert (contact.last_name, contact.company, contact.fields) == (None, "Example Mills", {"seats": 5})
    refused = browser.post(f"{LIST}/{ada}/change", {"field_seats": "many"})
    assert 'id="field_seats-err"' in refused.text


def test_a_way_to_reach_somebody_is_added_and_taken_away(browser, ada):
    path = f"{LIST}/{ada}/points"
    assert browser.post(path, {"kind": "email", "value": "second@example.com", "label": "work"}).status_code == 303
    page = browser.get(f"{LIST}/{ada}").text
    assert "second@example.com" in page
    assert "work" in page
    removal = re.findall(rf'action="({path}/\d+/remove)"', page)[1]
    assert browser.post(removal).status_code == 303
    refused = browser.post(path, {"kind": "email", "value": "nobody"})
    assert refused.status_code == 422
    assert "This is no e-mail address" in refused.text
    assert browser.post(path, {"kind": "pigeon", "value": "x"}).status_code == 422


def test_a_consent_is_recorded_in_the_persons_zone(browser, person, ada):
    given = {"channel": "telegram", "purpose": "marketing", "source": "paper", "wording": "I agree", "night_ok": "on"}
    path = f"{LIST}/{ada}/consents"
    assert "Asia/Seoul" in browser.get(f"{path}/new").text or "UTC" in browser.get(f"{path}/new").text
    assert browser.post(path, given | {"obtained_at": "2026-01-31T10:00"}).status_code == 303
    (entry,) = rows(Consent)
    assert (entry.source, entry.wording, entry.night_ok, entry.state) == ("paper", "I agree", True, "given")
    for moment, code in (("tomorrow", 422), ("2999-01-01T00:00", 422)):
        refused = browser.post(path, given | {"obtained_at": moment})
        assert refused.status_code == code
        assert 'id="obtained_at-err"' in refused.text
    assert len(rows(Consent)) == 1


def test_a_person_is_suppressed_and_an_admin_lifts_it_with_a_reason(browser, operator, ada):
    assert operator.post(f"{LIST}/{ada}/suppress", {"code": "complaint"}).status_code == 303
    assert {row.code for row in rows(Suppression)} == {"complaint"}
    assert "Nothing is written to this person" in operator.get(f"{LIST}/{ada}").text
    path = f"{LIST}/suppressed/{rows(Suppression)[0].id}/lift"
    assert operator.post(path, {"reason": "She asked for it by mail"}).status_code == 403
    assert browser.get(path).status_code == 200
    assert browser.post(path, {"reason": "short"}).status_code == 422
    assert browser.post(path, {"reason": "She asked for it by mail"}).status_code == 303
    assert rows(Suppression) == []


def test_somebody_unknown_is_suppressed_by_a_number(browser):
    path = f"{LIST}/suppressed"
    assert browser.post(path, {"kind": "phone", "value": "+44 7700 900123"}).status_code == 303
    (row,) = rows(Suppression)
    assert "No contact has it now" in browser.get(path).text
    assert browser.post(path, {"kind": "phone", "value": "12"}).status_code == 422
    assert [one.id for one in rows(Suppression)] == [row.id]


def test_filters_are_saved_as_a_segment_and_open_the_list(browser, person, ada):
    stored(person, first_name="Bob", phone="+44 7700 900124")
    form = browser.get(f"{LIST}/segments/new?tag=VIP")
    assert "VIP" in form.text
    assert browser.post(f"{LIST}/segments?tag=VIP", {"name": ""}).status_code == 422
    saved = browser.post(f"{LIST}/segments?tag=VIP", {"name": "Buyers"})
    (segment,) = rows(Segment)
    assert segment.filter == {"tag": ["VIP"]}
    assert listed(browser.get(saved.headers["Location"])) == [ada]
    assert browser.post(f"{LIST}/segments?tag=VIP", {"name": "buyers"}).status_code == 409
    assert "Buyers" in browser.get(f"{LIST}/segments").text
    assert browser.post(f"{LIST}/segments/{segment.id}/remove").status_code == 303
    assert rows(Segment) == []


def test_a_segment_whose_field_is_gone_is_left_out_of_the_address(browser, person, ada):
    with workspace_scope(person.workspace_id):
        field = custom_fields.create(factories.by("user:1"), "seats", "Seats", "number")
        field_id = field.id
    callers.commit()
    browser.post(f"{LIST}/segments?field=seats:4", {"name": "Tables"})
    (segment,) = rows(Segment)
    assert listed(browser.get(f"{LIST}?segment_id={segment.id}")) == []
    browser.post(f"{LIST}/settings/fields/{field_id}/remove")
    assert listed(browser.get(f"{LIST}?segment_id={segment.id}")) == [ada]


def test_a_tag_is_added_renamed_and_removed(browser, ada):
    assert browser.post(f"{LIST}/tags", {"name": "vip"}).status_code == 409
    assert browser.post(f"{LIST}/tags", {"name": ""}).status_code == 422
    assert browser.post(f"{LIST}/tags", {"name": "Fair"}).status_code == 303
    vip = next(tag for tag in rows(Tag) if tag.name == "VIP")
    assert "One contact has it." in browser.get(f"{LIST}/tags/{vip.id}").text
    assert browser.post(f"{LIST}/tags/{vip.id}", {"name": "fair"}).status_code == 409
    assert browser.post(f"{LIST}/tags/{vip.id}", {"name": "Customers"}).status_code == 303
    assert listed(browser.get(f"{LIST}?tag=Customers")) == [ada]
    assert browser.post(f"{LIST}/tags/{vip.id}/remove").status_code == 303
    assert [tag.name for tag in rows(Tag)] == ["Fair"]


def test_fields_of_the_workspace_are_made_and_changed(browser):
    path = f"{LIST}/settings"
    new = {"key": "grade", "name": "Grade", "type": "choice", "choices": "A\nB"}
    assert browser.post(f"{path}/fields", new).status_code == 303
    (field,) = rows(ContactField)
    assert field.choices == ["A", "B"]
    assert browser.post(f"{path}/fields", new).status_code == 409
    assert "every" in browser.post(f"{path}/fields", new | {"key": "phone"}).text.lower()
    assert browser.post(f"{path}/fields", new | {"key": "x", "choices": ""}).status_code == 422
    changed = browser.post(f"{path}/fields/{field.id}", {"name": "Class", "choices": "A\nB\nC"})
    assert changed.status_code == 303
    (field,) = rows(ContactField)
    assert (field.name, field.choices) == ("Class", ["A", "B", "C"])
    assert "Class" in browser.get(f"{LIST}/new").text


def test_only_an_admin_changes_the_settings(browser, operator):
    given = {"region": "kr", "timezone": "Asia/Seoul", "rules": "kr"}
    assert operator.post(f"{LIST}/settings", given).status_code == 403
    assert browser.post(f"{LIST}/settings", given).status_code == 303
    page = browser.get(f"{LIST}/settings").text
    assert 'value="KR"' in page
    assert browser.post(f"{LIST}/settings", given | {"region": "ZZ"}).status_code == 422
    assert browser.post(f"{LIST}/settings", given | {"timezone": "Mars/Base"}).status_code == 422


def test_a_viewer_reads_and_is_offered_nothing_else(viewer, ada):
    for path in ("", f"/{ada}", "/segments", "/tags", "/suppressed", "/imports", "/settings"):
        page = viewer.get(LIST + path)
        assert page.status_code == 200
        main = page.text[page.text.index("<main") : page.text.index("</main>")]
        assert 'method="post"' not in main or path == "/settings", path
    assert viewer.get(f"{LIST}/new").status_code == 403
    assert viewer.post(f"{LIST}/{ada}/erase").status_code == 403
    assert len(rows(Contact)) == 1


def test_contacts_of_another_workspace_are_not_there(browser, ada, app):
    stranger = callers.member(role="admin")
    callers.commit()
    other = Browser(app, stranger)
    for path in (f"/{ada}", f"/{ada}/change", f"/{ada}/consents/new"):
        assert other.get(LIST + path).status_code == 404
    assert other.post(f"{LIST}/{ada}/erase").status_code == 404
    assert listed(other.get(LIST)) == []


def test_the_export_holds_what_the_address_asks_for(browser, person, ada):
    stored(person, first_name="Bob", phone="+44 7700 900124")
    file = browser.get(f"{LIST}/export?tag=VIP")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert "Ada" in file.text
    assert "Bob" not in file.text


def test_the_page_speaks_korean(browser, person, ada):
    with system_scope("a test"):
        db.session.get_one(User, person.id).locale = "ko"
        db.session.commit()
    page = browser.get(f"{LIST}/{ada}").text
    assert "연락처" in page
    assert "console_contacts." not in page


def test_several_at_once_are_tagged_suppressed_and_put_into_a_campaign(operator: Browser, person: User) -> None:
    with workspace_scope(person.workspace_id):
        people = [
            records.create(factories.by("user:1"), {"first_name": f"P{number}", "phone": f"+1202555{3100 + number}"}).id
            for number in range(3)
        ]
        people.append(records.create(factories.by("user:1"), {"first_name": "Nobody"}).id)
    callers.commit()
    page = operator.get("/console/contacts").text
    assert page.count('name="contact_id"') == 4
    bulk = "/console/contacts/bulk"
    chosen = {"contact_id": [str(number) for number in people], "bulk_tag": "VIP"}
    assert operator.post(bulk, chosen | {"act": "tag"}).status_code == 303
    assert operator.post(bulk, {"act": "tag", "bulk_tag": "VIP"}).status_code == 303
    assert operator.post(bulk, chosen | {"act": "suppress"}).status_code == 303
    answer = operator.post(bulk, {"contact_id": [str(people[0]), "999999", "x"], "act": "campaign"})
    assert answer.headers["Location"].endswith(f"/console/campaigns/new?contact_ids={people[0]}")
    with workspace_scope(person.workspace_id):
        assert tags.of_contacts(people) == {number: ["VIP"] for number in people}
        assert db.session.query(Suppression).count() == 3
        db.session.rollback()
