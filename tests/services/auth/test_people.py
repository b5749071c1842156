"""The person a request is about, and the last admin under two hands at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.models import AuditEntry, User
from backend.services.auth import people
from backend.services.auth.actor import PEOPLE_ACT, READ, WRITE, Actor
from tests.support import factories


def acting(person: User, *scopes: str) -> Actor:
    return Actor(person.id, person.workspace_id, person.role, person.is_owner, frozenset(scopes), f"user:{person.id}")


def test_nobody_named_is_the_caller(app: Flask) -> None:
    person = factories.user(role="viewer")
    with workspace_scope(person.workspace_id):
        assert people.person_by(acting(person, READ, WRITE)) is person
        assert people.person_by(acting(person, READ, WRITE), user_id=person.id) is person


def test_naming_oneself_by_the_host_applications_id_needs_no_scope(app: Flask) -> None:
    person = factories.user(external_user_id="crm-1")
    with workspace_scope(person.workspace_id):
        assert people.person_by(acting(person), external_user_id="crm-1") is person


@pytest.mark.parametrize("named", ["user_id", "external_user_id"])
def test_naming_somebody_else_needs_people_act(app: Flask, named: str) -> None:
    person = factories.user()
    other = factories.user(workspace_id=person.workspace_id, external_user_id="crm-2")
    value = other.id if named == "user_id" else "crm-2"
    with workspace_scope(person.workspace_id):
        with pytest.raises(Forbidden):
            people.person_by(acting(person, READ, WRITE), **{named: value})  # type: ignore[arg-type]
        assert people.person_by(acting(person, PEOPLE_ACT), **{named: value}) is other  # type: ignore[arg-type]


def test_another_workspaces_person_is_not_found(app: Flask) -> None:
    person, stranger = factories.user(), factories.user(external_user_id="crm-3")
    with workspace_scope(person.workspace_id):
        with pytest.raises(NotFound):
            people.person_by(acting(person, PEOPLE_ACT), user_id=stranger.id)
        made = people.person_by(acting(person, PEOPLE_ACT), external_user_id="crm-3")
    assert made.id != stranger.id
    assert made.workspace_id == person.workspace_id


def test_an_unknown_external_id_makes_a_person_who_cannot_sign_in(app: Flask) -> None:
    person = factories.user()
    caller = acting(person, PEOPLE_ACT)
    with workspace_scope(person.workspace_id):
        made = people.person_by(caller, external_user_id=" crm-4 ")
        again = people.person_by(caller, external_user_id="crm-4")
    assert made is again
    assert (made.role, made.email, made.password_hash, made.external_user_id) == ("viewer", None, None, "crm-4")
    with system_scope("a test reads the audit"):
        actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"user:{made.id}")).all()
    assert actions == ["person.created"]


def test_both_names_at_once_are_refused(app: Flask) -> None:
    person = factories.user()
    with workspace_scope(person.workspace_id), pytest.raises(Invalid):
        people.person_by(acting(person, PEOPLE_ACT), user_id=person.id, external_user_id="crm-5")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_an_external_id_has_bounds(app: Flask, name: str) -> None:
    person = factories.user()
    with workspace_scope(person.workspace_id), pytest.raises(Invalid):
        people.person_by(acting(person, PEOPLE_ACT), external_user_id=name)


def test_one_unknown_external_id_named_twice_at_once_makes_one_person(app: Flask) -> None:
    person = factories.user()
    caller, home = acting(person, PEOPLE_ACT), person.workspace_id
    db.session.commit()
    together = threading.Barrier(2)

    def attempt() -> int:
        with app.app_context(), workspace_scope(home):
            together.wait(60)
            made = people.person_by(caller, external_user_id="crm-6").id
            db.session.commit()
            return made

    with ThreadPoolExecutor(2) as pool:
        ids = {future.result() for future in [pool.submit(attempt), pool.submit(attempt)]}
    assert len(ids) == 1


def test_two_admins_cannot_demote_each_other_at_once(app: Flask) -> None:
    home = factories.workspace()
    admins = [factories.user(home, password_hash="x") for _ in range(2)]
    moves = [(acting(admins[0], WRITE), admins[1].id), (acting(admins[1], WRITE), admins[0].id)]
    home_id = home.id
    db.session.commit()
    together = threading.Barrier(2)

    def attempt(actor: Actor, target: int) -> str:
        with app.app_context(), workspace_scope(home_id):
            together.wait(60)
            try:
                people.change(actor, target, role="viewer")
                db.session.commit()
            except Conflict as error:
                db.session.rollback()
                return error.code
            return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(future.result() for future in [pool.submit(attempt, *move) for move in moves])
    assert outcomes == ["done", "last_admin"]
    with system_scope("a test counts"):
        assert db.session.scalar(select(func.count()).select_from(User).where(User.role == "admin")) == 1
