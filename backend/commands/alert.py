"""`flask alert send`: an alert out of a shell script, with nothing but the environment.

It needs no database and no Redis, and builds no application. It exits with 0 and one line that says what was sent and
by which level's bot, or with 1 and one line that says why not.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Final

import click

_MAX_BYTES: Final = 400_000
_MAX_TEXT: Final = 100_000


class _OneLine(click.Command):
    """A command whose every failure is one line, a misspelt option among them: it stands in a script's log."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's own, without the lines about usage. Raises ClickException."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _failure(error.format_message()) from None


@click.group("alert", help="Alerts from a shell script.")
def group() -> None:
    """Alerts from a shell script."""


@group.command("send", cls=_OneLine)
@click.argument("message")
@click.option(
    "--bot-name", default="alerts", show_default=True, help="Whose bot: a name of the database or the environment."
)
@click.option("--bot-id", type=click.IntRange(min=1), help="A bot of the database, by id.")
@click.option("--token", help="A bot's token; needs --chat-id. Other users of the machine may see it.")
@click.option(
    "--chat-id", "chat_ids", multiple=True, help="Where to, in place of the bot's own chats; may be repeated."
)
@click.option("--severity", help="For instance critical, error, warning, info.")
@click.option("--title", help="A line in bold above the message.")
@click.option(
    "--max-wait",
    type=click.FloatRange(0, 600),
    default=60.0,
    show_default=True,
    help="How long to wait, in seconds, where Telegram asks to.",
)
def send(
    message: str,
    bot_name: str,
    bot_id: int | None,
    token: str | None,
    chat_ids: tuple[str, ...],
    severity: str | None,
    title: str | None,
    max_wait: float,
) -> None:
    """Send MESSAGE at once, or what stands on standard input where MESSAGE is "-".

    Long text becomes several messages. Nothing is stored, and nothing is counted or grouped: use the API for that.
    """
    from backend.channels.telegram_bot import BotClient, TelegramBot
    from backend.core import logging
    from backend.core.config import ConfigurationError
    from backend.core.errors import AppError
    from backend.services.bots import cli_resolution, send_without_db
    from backend.services.bots.source_order import Asked

    # Lines of a log among a script's own are noise here: what matters is said at the end.
    logging.configure("CRITICAL")
    text = _text(message)
    asked = Asked(
        None if bot_id else bot_name,
        bot_id,
        token,
        tuple(chat_id for listed in chat_ids for chat_id in listed.split(",")),
    )
    try:
        target = cli_resolution.find(asked, os.environ)
    except (AppError, ConfigurationError) as error:
        raise _failure(_unfound(error, bot_name)) from None
    content = send_without_db.alert_content(text, title=_readable(title) if title else title, severity=severity)
    channel = TelegramBot(BotClient(target.api_url, pool_size=1))
    results, left = [], max_wait
    for chat_id in target.chat_ids:
        result = send_without_db.send(
            channel, target.token, chat_id, content, thread_id=target.thread_id, patience=left, rest=time.sleep
        )
        left -= result.waited
        results.append(result)
    whole, line = send_without_db.summary(target.chat_ids, results)
    note = f"; {target.note}" if target.note else ""
    if not whole:
        raise _failure(f"{line} (level {target.level}{note})")
    click.echo(f"Sent {line} (level {target.level}{note})")


def _text(message: str) -> str:
    from backend.channels import richtext

    if message == "-":
        text = sys.stdin.buffer.read(_MAX_BYTES + 1).decode("utf-8", "replace").replace("\0", "\ufffd")
    else:
        text = _readable(message)
    text = text.strip("\n\r")
    if not richtext.has_visible(text):
        raise _failure("There is nothing to send: the message is empty.")
    if len(text) > _MAX_TEXT:
        raise _failure(f"The message is longer than {_MAX_TEXT} characters; send a file by the API instead.")
    return text


def _readable(argument: str) -> str:
    """An argument with what is no UTF-8 in it replaced: a line of a log may hold anything, and cannot be sent again."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unfound(error: Any, bot_name: str) -> str:
    code = getattr(error, "code", "")
    if code == "bot_not_found":
        return (
            f"{error.message} Set TELEGRAM_BOT_CONFIGS with an entry {bot_name!r}, or TELEGRAM_BOT_TOKEN with "
            "TELEGRAM_CHAT_IDS, or give --token and --chat-id."
        )
    return str(getattr(error, "message", error))


def _failure(line: str) -> click.ClickException:
    return click.ClickException(" ".join(line.split()))
