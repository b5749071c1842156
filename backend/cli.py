"""The command line: `flask <group> <command>`. It reads `.env`, which the web and worker processes do not."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import click
from flask import Flask

ROOT: Final = Path(__file__).parent.parent
_NEEDS_NOTHING: Final = frozenset({("keys", "generate"), ("keys", "lookup-key")})
"""Commands that run before anything has been configured, or where a variable is refused."""
_NEEDS_NO_APPLICATION: Final = frozenset({("alert", "send")})
"""Commands of shell scripts, which start fast: nothing else is imported."""


def register(app: Flask) -> None:
    """Adds the commands to the application."""
    from backend.commands import alert, demo, keys, telegram, user

    for group in (user.group, telegram.group, alert.group, demo.group, keys.group):
        app.cli.add_command(group)


def make_app() -> Flask:
    """The application for the `flask` command; `.flaskenv` names this function.

    Raises click's ClickException naming the variable that is missing or malformed.
    """
    from backend.core import config
    from backend.core.config import ConfigurationError

    config.read_dotenv(ROOT / ".env")
    if tuple(sys.argv[1:3]) in _NEEDS_NO_APPLICATION:
        return _bare("alert")
    from backend.app import create_app

    try:
        return create_app()
    except ConfigurationError as error:
        if tuple(sys.argv[1:3]) not in _NEEDS_NOTHING:
            raise click.ClickException(str(error)) from None
    return _bare("keys")


def _bare(group: str) -> Flask:
    """No application, only one group of commands."""
    bare = Flask(__name__, static_folder=None)
    commands: click.Group = import_module(f"backend.commands.{group}").group
    bare.cli.add_command(commands)
    return bare
