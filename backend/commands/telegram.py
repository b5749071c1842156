"""`flask telegram`: webhooks, polling and a test message."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
from flask.cli import AppGroup
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from backend.channels.errors import ChannelError
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.models import Sender, User
from backend.services import notifications, senders
from backend.services.auth.attribution import COMMAND_LINE
from backend.services.bots import command_menu
from backend.services.intake.poller import Poller, PollingStopped

group = AppGroup("telegram", help="The Telegram bots of this instance.")
_bot = click.option("--bot-id", type=click.IntRange(min=1), help="A bot of the database; by default the environment's.")


@group.command("register-webhook")
@_bot
@click.option("--base-url", help="Where Telegram reaches this instance; by default TELEGRAM_WEBHOOK_BASE_URL.")
@click.option("--drop-pending", is_flag=True, help="Forget the updates that wait at Telegram.")
def register_webhook(bot_id: int | None, base_url: str | None, drop_pending: bool) -> None:
    """Have Telegram deliver a bot's updates here, and show its menu of commands."""
    with _clear_errors():
        sender = _sender(bot_id)
        facts = senders.probe(sender)
        address = senders.register_webhook(sender, base_url=base_url, drop_pending=drop_pending)
        _commit()
        try:
            command_menu.register(sender)
            _commit()
        except ChannelError as error:
            click.echo(f"The menu of commands was not registered: {error.code}", err=True)
    click.echo(f"Telegram delivers the updates of @{facts.username} to {address}")


@group.command("webhook-info")
@_bot
def webhook_info(bot_id: int | None) -> None:
    """Show what Telegram says about a bot's webhook. Fails when updates do not arrive here."""
    with _clear_errors():
        sender = _sender(bot_id)
        info = senders.webhook_status(sender)
        expected = senders.webhook_address(sender)
    click.echo(f"Address      {info.url or 'none: updates wait to be polled'}")
    click.echo(f"Waiting      {info.pending}")
    when = f" at {info.last_error_at:%Y-%m-%d %H:%M:%S} UTC" if info.last_error_at else ""
    click.echo(f"Last error   {info.last_error or 'none'}{when}")
    click.echo(f"Updates      {', '.join(info.events) or 'the usual'}")
    if info.url and info.url != expected:
        raise click.ClickException(f"This instance expects {expected}; see `flask telegram register-webhook`.")


@group.command("poll")
@_bot
def poll(bot_id: int | None) -> None:
    """Ask Telegram for updates until stopped, for an instance that Telegram cannot reach."""
    with _clear_errors():
        sender_id = _sender(bot_id).id
        _commit()
    poller = Poller(sender_id, click.echo)

    def end(number: int, frame: FrameType | None) -> None:
        poller.stop()
        if poller.asking:
            # A long poll may take half a minute more; what it would bring comes again.
            sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with _clear_errors():
        try:
            poller.run()
        except PollingStopped as error:
            raise click.ClickException(str(error)) from None


@group.command("send-test")
@click.option("--email", help="The person, by address.")
@click.option("--user-id", type=click.IntRange(min=1), help="The person, by id.")
def send_test(email: str | None, user_id: int | None) -> None:
    """Store a test message for a person's linked chat; a running dispatch worker sends it."""
    if (email is None) == (user_id is None):
        raise click.UsageError("Give either --email or --user-id.")
    with _clear_errors():
        with system_scope("the command line administers the whole instance"):
            which = User.id == user_id if email is None else func.lower(User.email) == email.lower()
            person = db.session.execute(select(User).where(which)).scalar_one_or_none()
        if person is None:
            raise click.ClickException("There is no such person.")
        with workspace_scope(person.workspace_id):
            message = notifications.send_test_message(COMMAND_LINE, person)
        _commit()
    click.echo(f"Stored as message {message.id}.")


def _sender(bot_id: int | None) -> Sender:
    with system_scope("the command line administers the whole instance"):
        default = senders.ensure_environment_sender(CHANNEL)
        sender = default if bot_id is None else senders.by_id(bot_id, channel=CHANNEL)
    if sender is None:
        missing = "TELEGRAM_BOT_TOKEN is not set." if bot_id is None else f"There is no bot {bot_id}."
        raise click.ClickException(missing)
    return sender


def _commit() -> None:
    with system_scope("the command line administers the whole instance"):
        db.session.commit()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """One line for a person instead of a traceback; none of these errors holds a token."""
    try:
        yield
    except AppError as error:
        db.session.rollback()
        raise click.ClickException(error.message) from None
    except ChannelError as error:
        db.session.rollback()
        raise click.ClickException(f"Telegram: {error}") from None
    except OperationalError:
        db.session.rollback()
        raise click.ClickException("The database (DATABASE_URL) cannot be reached.") from None
