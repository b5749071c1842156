"""Pages for people without an account: a link shows, only a press acts, and a link is nobody else's to make."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.config import Settings
from backend.core.crypto import Keyring
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Consent, ContactPoint, Suppression, User
from backend.services.contacts import consents, opt_in, person_links, records, suppressions, unsubscribe
from backend.services.contacts import settings as contact_settings
from tests.http import callers, routes
from tests.support import factories

LOOKUP_KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
BY = factories.by("user:1")


def rows(model):
    with system_scope("a test"):
        return list(db.session.scalars(select(model).order_by(model.id)))


@dataclass
class Person:
    contact_id: int
    link: str


@pytest.fixture
def ada(app: Flask, person: User) -> Person:
    with workspace_scope(person.workspace_id):
        contact = records.create(BY, {"first_name": "Ada", "phone": "+44 7700 900123", "email": "ada@example.com"})
        consents.record(BY, contact, {"channel": "telegram", "source": "form"})
        consents.record(BY, contact, {"channel": "email", "purpose": "service", "source": "form"})
        phone = db.session.scalars(select(ContactPoint).where(ContactPoint.kind == "phone")).one()
        made_link = unsubscribe.link_for(phone).partition("/u/")[2]
    callers.commit()
    return Person(contact.id, f"/u/{made_link}")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_previews_change_nothing(client: FlaskClient, ada: Person) -> None:
    before = routes.fingerprint()
    for count in range(100):
        response = client.get(ada.link) if count % 2 else client.head(ada.link)
        assert response.status_code == 200
    assert routes.fingerprint() == before
    assert "Shall" in client.get(ada.link).text


def test_the_button_ends_the_messages_under_everything_the_person_has(client: FlaskClient, ada: Person) -> None:
    response = client.post(ada.link)
    assert (response.status_code, response.headers["Location"]) == (303, ada.link)
    page = client.get(ada.link)
    assert "sends you no more messages" in page.text
    assert "<form" not in page.text
    assert {(row.kind, row.code, row.source) for row in rows(Suppression)} == {
        ("phone", "opted_out", "person"),
        ("email", "opted_out", "person"),
    }
    withdrawn = [entry for entry in rows(Consent) if entry.state == "withdrawn"]
    assert [(entry.channel, entry.purpose, entry.recorded_by) for entry in withdrawn] == [
        ("telegram", "marketing", "person")
    ]


def test_pressing_twice_is_pressing_once(client: FlaskClient, ada: Person) -> None:
    client.post(ada.link)
    before = len(rows(Suppression)), len(rows(Consent))
    assert client.post(ada.link).status_code == 303
    assert (len(rows(Suppression)), len(rows(Consent))) == before


def test_a_link_works_when_the_contact_was_erased(client: FlaskClient, person: User, ada: Person) -> None:
    with workspace_scope(person.workspace_id):
        records.erase(BY, ada.contact_id)
    callers.commit()
    assert client.get(ada.link).status_code == 200
    assert client.post(ada.link).status_code == 303
    assert [row.kind for row in rows(Suppression)] == ["phone"]
    with workspace_scope(person.workspace_id):
        again = records.create(BY, {"first_name": "Ada", "phone": "+44 7700 900123", "email": "new@example.com"})
        assert again.id != ada.contact_id
    callers.commit()
    assert {row.kind for row in rows(Suppression)} == {"phone", "email"}


def test_whoever_has_the_number_now_is_suppressed_too(client: FlaskClient, person: User, ada: Person) -> None:
    with workspace_scope(person.workspace_id):
        records.change(BY, ada.contact_id, {"phone": None})
        records.create(BY, {"first_name": "Ada again", "phone": "+44 7700 900123", "telegram_username": "ada_example"})
    callers.commit()
    client.post(ada.link)
    assert {row.kind for row in rows(Suppression)} == {"phone", "email", "username"}


def test_a_link_works_for_a_year_and_says_so_afterwards(client: FlaskClient, ada: Person) -> None:
    clock.move(timedelta(days=365).total_seconds())
    assert client.get(ada.link).status_code == 200
    clock.move(timedelta(days=3).total_seconds())
    page = client.get(ada.link)
    assert page.status_code == 404
    assert "more than a year old" in page.text
    assert client.post(ada.link).status_code == 404
    assert rows(Suppression) == []


def test_another_secret_key_leaves_the_links_that_were_sent(
    client: FlaskClient, person: User, ada: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys(secret_key: str) -> Keyring:
        return Keyring.from_settings(settings.encryption_keys, LOOKUP_KEY, secret_key)

    monkeypatch.setattr(person_links, "keyring", lambda: keys("a first secret key of the instance"))
    with workspace_scope(person.workspace_id):
        link = unsubscribe.link_for(db.session.scalars(select(ContactPoint).limit(1)).one()).partition("/u/")[2]
    monkeypatch.setattr(person_links, "keyring", lambda: keys("the next secret key of the instance"))
    assert client.get(f"/u/{link}").status_code == 200


@pytest.mark.parametrize("change", ["first", "last", "shorter", "longer", "other", "nonsense", "empty"])
def test_a_link_that_nobody_made_is_refused(client: FlaskClient, ada: Person, change: str) -> None:
    token = ada.link.removeprefix("/u/")
    forged = {
        "first": ("B" if token[0] == "A" else "A") + token[1:],
        "last": token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"),
        "shorter": token[:-1],
        "longer": token + "A",
        "other": "A" * len(token),
        "nonsense": "%0d%0a",
        "empty": "=",
    }[change]
    for response in (client.get(f"/u/{forged}"), client.post(f"/u/{forged}")):
        assert response.status_code == 404
    assert rows(Suppression) == []


def test_the_page_speaks_the_browsers_language(client: FlaskClient, ada: Person) -> None:
    assert "더 받지 않기" in client.get(ada.link, headers={"Accept-Language": "ko"}).text


# --- agreeing ----------------------------------------------------------------------------------------------------

WORDING = "You may write to me on Telegram about new flats."


@pytest.fixture
def asked(app: Flask, person: User) -> Person:
    """A contact with a link at which they can agree."""
    with workspace_scope(person.workspace_id):
        contact_settings.change(BY, {"opt_in_wording": WORDING})
        contact = records.create(BY, {"first_name": "Ada", "phone": "+44 7700 900123", "email": "ada@example.com"})
        link = opt_in.link_of_contact(contact.id).partition("/o/")[2]
    callers.commit()
    return Person(contact.id, f"/o/{link}")


def digest_of(page) -> dict[str, str]:
    return {"digest": page.text.partition('name="digest" value="')[2].partition('"')[0]}


def test_previews_agree_to_nothing(client: FlaskClient, asked: Person) -> None:
    before = routes.fingerprint()
    for count in range(100):
        assert (client.get if count % 2 else client.head)(asked.link).status_code == 200
    assert routes.fingerprint() == before


def test_who_agrees_is_recorded_with_the_words_that_were_shown(client: FlaskClient, asked: Person) -> None:
    page = client.get(asked.link)
    assert WORDING in page.text
    assert client.post(asked.link, data=digest_of(page)).status_code == 303
    (entry,) = rows(Consent)
    assert (entry.channel, entry.purpose, entry.state, entry.source) == ("telegram", "marketing", "given", "form")
    assert (entry.wording, entry.recorded_by, entry.night_ok) == (WORDING, "person", False)
    assert "You have agreed" in client.get(asked.link).text
    assert client.post(asked.link, data=digest_of(page)).status_code == 303
    assert len(rows(Consent)) == 1


def test_words_that_changed_meanwhile_are_read_again(client: FlaskClient, person: User, asked: Person) -> None:
    seen = digest_of(client.get(asked.link))
    with workspace_scope(person.workspace_id):
        contact_settings.change(BY, {"opt_in_wording": "You may write to me about anything at all."})
    callers.commit()
    for data in (seen, {}, {"digest": "\u00e9"}):
        refused = client.post(asked.link, data=data)
        assert refused.status_code == 409
        assert "about anything at all" in refused.text
    assert rows(Consent) == []
    assert client.post(asked.link, data=digest_of(refused)).status_code == 303


def test_who_agrees_after_an_opt_out_is_written_to_again(client: FlaskClient, person: User, asked: Person) -> None:
    with workspace_scope(person.workspace_id):
        suppressions.suppress_contact(BY, asked.contact_id, code="opted_out", source="person")
    callers.commit()
    client.post(asked.link, data=digest_of(client.get(asked.link)))
    assert rows(Suppression) == []


def test_the_night_is_asked_for_where_the_rules_do(client: FlaskClient, person: User, asked: Person) -> None:
    assert "21:00" not in client.get(asked.link).text
    with workspace_scope(person.workspace_id):
        contact_settings.change(BY, {"rules": "kr"})
    callers.commit()
    page = client.get(asked.link)
    assert "21:00" in page.text
    client.post(asked.link, data=digest_of(page) | {"night_ok": "1"})
    (entry,) = rows(Consent)
    assert entry.night_ok
    assert entry.expires_at is not None


def test_without_a_contact_or_a_wording_there_is_nothing_to_agree_to(
    client: FlaskClient, person: User, asked: Person
) -> None:
    data = digest_of(client.get(asked.link))
    with workspace_scope(person.workspace_id):
        contact_settings.change(BY, {"opt_in_wording": None})
    callers.commit()
    assert client.get(asked.link).status_code == client.post(asked.link, data=data).status_code == 404
    with workspace_scope(person.workspace_id):
        contact_settings.change(BY, {"opt_in_wording": WORDING})
        records.erase(BY, asked.contact_id)
    callers.commit()
    assert client.get(asked.link).status_code == client.post(asked.link, data=data).status_code == 404
    assert rows(Consent) == []


def test_a_link_of_one_kind_is_none_of_the_other(client: FlaskClient, asked: Person, ada_again: str) -> None:
    assert client.get(asked.link.replace("/o/", "/u/")).status_code == 404
    assert client.get(ada_again.replace("/u/", "/o/")).status_code == 404


@pytest.fixture
def ada_again(person: User, asked: Person) -> str:
    """The link by which the same contact unsubscribes."""
    with workspace_scope(person.workspace_id):
        point = db.session.scalars(select(ContactPoint).limit(1)).one()
        return "/u/" + unsubscribe.link_for(point).partition("/u/")[2]
