"""`flask demo`: example data on a fresh machine."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from backend.commands.user import new_password
from backend.core import config
from backend.core.database import db, system_scope
from backend.services.auth import administration

group = AppGroup("demo", help="A first owner and a small workspace to try things with.")


@group.command("create")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def create(as_json: bool) -> None:
    """Make the first owner and a demo workspace, unless there are people already.

    Prints the login when it makes it, and never again.
    """
    password = new_password()
    owner = administration.create_demo(password)
    with system_scope("the command line administers the whole instance"):
        db.session.commit()
    site = config.get().site_url
    if as_json:
        created = {"email": owner.email, "password": password, "workspace_id": owner.workspace_id} if owner else {}
        click.echo(json.dumps({"created": owner is not None, "url": site, **created}))
    elif owner is not None:
        click.echo(f"Sign in at   {site}/console/")
        click.echo(f"E-mail       {owner.email}")
        click.echo(f"Password     {password}  (shown this once; `bin/run flask user set-password` sets another)")
