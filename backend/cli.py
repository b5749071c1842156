"""The command line: `flask <group> <command>`. It reads `.env`, which the web and worker processes do not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
from flask import Flask

from backend.commands import demo, keys, telegram, user
from backend.core import config
from backend.core.config import ConfigurationError

ROOT: Final = Path(__file__).parent.parent
_NEEDS_NOTHING: Final = frozenset({("keys", "generate")})
"""Commands that run before anything has been configured."""


def register(app: Flask) -> None:
    """Adds the commands to the application."""
    for group in (user.group, telegram.group, demo.group, keys.group):
        app.cli.add_command(group)


def make_app() -> Flask:
    """The application for the `flask` command; `.flaskenv` names this function.

    Raises click's ClickException naming the variable that is missing or malformed.
    """
    from backend.app import create_app

    config.read_dotenv(ROOT / ".env")
    try:
        return create_app()
    except ConfigurationError as error:
        if tuple(sys.argv[1:3]) not in _NEEDS_NOTHING:
            raise click.ClickException(str(error)) from None
    bare = Flask(__name__, static_folder=None)
    bare.cli.add_command(keys.group)
    return bare
