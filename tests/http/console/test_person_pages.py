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
from backend.services.contacts import consents, person_links, records, unsubscribe
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


def test_a_thousand_previews_change_nothing(client: FlaskClient, ada: Person) -> None:
    before = routes.fingerprint()
    for count in range(1_000):
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
