"""`flask user`: people, from the command line."""

from __future__ import annotations

import secrets
import sys

import click
from flask.cli import AppGroup

from backend.core.database import db, system_scope
from backend.core.errors import AppError
from backend.models import User
from backend.services.auth import administration
from backend.services.auth.actor import ADMIN, ROLES

group = AppGroup("user", help="People who sign in.")


def new_password() -> str:
    """A password that nobody has to think of."""
    return secrets.token_urlsafe(15)


def read_password(from_stdin: bool) -> tuple[str, bool]:
    """The password of standard input's first line, or a new one; and whether it is new and has to be shown."""
    if not from_stdin:
        return new_password(), True
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise click.ClickException("--password-stdin: standard input holds no password")
    return given, False


@group.command("create")
@click.option("--owner", is_flag=True, help="Also an owner of the whole instance.")
@click.option("--email", required=True)
@click.option("--name", default=None, help="Default: what stands before the @.")
@click.option("--workspace", default=None, help="The workspace's name; made where there is none of that name.")
@click.option("--role", type=click.Choice(ROLES), default=ADMIN, show_default=True)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, else make one and show it."
)
def create(owner: bool, email: str, name: str | None, workspace: str | None, role: str, password_stdin: bool) -> None:
    """Make a person who can sign in."""
    password, show = read_password(password_stdin)
    try:
        person = administration.create_person(
            email, password, name=name, workspace=workspace, role=role, is_owner=owner
        )
    except AppError as error:
        db.session.rollback()
        raise click.ClickException(error.message) from None
    described = f"{_described(person)} in workspace {person.workspace_id}"
    _commit()
    click.echo(f"Created {described}.")
    if show:
        click.echo(f"Password (shown this once): {password}")


@group.command("set-password")
@click.option("--email", required=True)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, else make one and show it."
)
def set_password(email: str, password_stdin: bool) -> None:
    """Give somebody a new password and end their sign-ins."""
    password, show = read_password(password_stdin)
    try:
        person = administration.set_password(email, password)
    except AppError as error:
        db.session.rollback()
        raise click.ClickException(error.message) from None
    described = _described(person)
    _commit()
    click.echo(f"Set the password of {described}.")
    if show:
        click.echo(f"Password (shown this once): {password}")


def _described(person: User) -> str:
    owner = ", owner of the instance" if person.is_owner else ""
    return f"{person.email} ({person.role}{owner})"


def _commit() -> None:
    with system_scope("the command line administers the whole instance"):
        db.session.commit()
