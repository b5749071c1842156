"""The command line: `flask <group> <command>`. It reads `.env`, which the web and worker processes do not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Final

import click
from flask import Flask
from flask.cli import ScriptInfo

ROOT: Final = Path(__file__).parent.parent
_NEEDS_NOTHING: Final = frozenset({("keys", "generate"), ("keys", "lookup-key")})
"""Commands that run before anything has been configured, or where a variable is refused."""
_NEEDS_NO_APPLICATION: Final = frozenset({("alert", "send")})
"""Commands of shell scripts, which start fast: nothing else is imported."""
_OPTIONS_WITH_VALUE: Final = frozenset({"-A", "--app", "-e", "--env-file"})
"""Options of `flask` itself that may stand before the command and take the next argument."""


def register(app: Flask) -> None:
    """Adds the commands to the application."""
    from backend.commands import alert, channels, demo, keys, telegram, user

    for group in (user.group, telegram.group, channels.group, alert.group, demo.group, keys.group):
        app.cli.add_command(group)


def make_app() -> Flask:
    """The application for the `flask` command; `.flaskenv` names this function.

    Raises click's ClickException naming the variable that is missing or malformed.
    """
    from backend.core import config
    from backend.core.config import ConfigurationError

    config.read_dotenv(ROOT / ".env")
    command = command_of(sys.argv[1:])
    if command in _NEEDS_NO_APPLICATION:
        return _bare("alert")
    from backend.app import create_app

    try:
        return create_app()
    except ConfigurationError as error:
        if command not in _NEEDS_NOTHING:
            raise click.ClickException(str(error)) from None
    return _bare("keys")


def is_running() -> bool:
    """Whether the application is asked for by the `flask` command, and not by a server."""
    context = click.get_current_context(silent=True)
    return context is not None and context.find_object(ScriptInfo) is not None


def command_of(arguments: Sequence[str]) -> tuple[str, ...]:
    """Returns group and command that the arguments of `flask` name, behind the options of `flask` itself."""
    words = iter(arguments)
    for word in words:
        if word in _OPTIONS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return (word, *islice(words, 1))
    return ()


def _bare(group: str) -> Flask:
    """No application, only one group of commands."""
    bare = Flask(__name__, static_folder=None)
    commands: click.Group = import_module(f"backend.commands.{group}").group
    bare.cli.add_command(commands)
    return bare
