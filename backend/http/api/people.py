"""The people of a workspace."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.auth import ResetLinkOut
from backend.http.schemas.people import People, PeopleQuery, Person, PersonChange
from backend.models import User
from backend.services.auth import password_resets, people
from backend.services.auth.password_resets import ResetLink

bp = APIBlueprint("people", __name__, url_prefix="/api/people", tag="People")


@bp.get("")
@access()
@bp.input(PeopleQuery, location="query")
@bp.output(People)
def listing(query_data: PeopleQuery) -> dict[str, Any]:
    """List the people of the workspace"""
    persons, following = people.listing(
        role=query_data.role,
        external_user_id=query_data.external_user_id,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"people": persons, "next_cursor": following}


@bp.get("/<int:person_id>")
@access()
@bp.output(Person)
def show(person_id: int) -> User:
    """Show a person"""
    return people.get(person_id)


@bp.patch("/<int:person_id>")
@access("admin")
@bp.input(PersonChange)
@bp.output(Person)
@bp.doc(responses={409: "The last admin stays (`last_admin`)"})
def change(person_id: int, json_data: PersonChange) -> User:
    """Change somebody's name or role, or disable them

    Somebody disabled is signed out everywhere and their tokens stop working at once.
    """
    return people.change(
        guards.actor(), person_id, name=json_data.name, role=json_data.role, disabled=json_data.disabled
    )


@bp.post("/<int:person_id>/password-reset")
@access("admin", tokens=False, idempotent=True, redact=("link", "token"))
@bp.output(ResetLinkOut, status_code=201)
@bp.doc(responses={409: "This person has no address to sign in with (`no_email`)"})
def reset_password(person_id: int) -> ResetLink:
    """Make a password reset link for somebody

    It works once and for 24 hours; an earlier one stops working. With a mail server it is sent to the person; without
    one it is shown this once.
    """
    return password_resets.issue(guards.actor(), person_id)
