"""`flask channels`: what the channels of this instance receive."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.channels import registry
from backend.channels.graph import versions
from backend.core import clock, config
from backend.core.database import db
from backend.services import senders
from backend.services.channel_setup import described, overview

group = AppGroup("channels", help="The channels of this instance.")


@group.command("checks")
@click.option("--all", "everything", is_flag=True, help="Also what is fine.")
def show_checks(everything: bool) -> None:
    """Show what the last checks of WhatsApp, Messenger and Instagram found, and what to do."""
    for sender, findings in overview.every():
        click.echo(f"{sender.channel} {sender.id} ({sender.name}): {described.status_of(sender, findings)}")
        for result in findings:
            if everything or result.state in ("warning", "failed"):
                advice = result.hint("en")
                click.echo(f"  {result.name('en')}: {result.text('en')}" + (f". {advice}" if advice else ""))
    db.session.rollback()


@group.command("webhooks")
def webhooks() -> None:
    """Show each sender's webhook: its address, what is missing, what waits and what came for nobody here."""
    click.echo(f"Channels: {', '.join(registry.names())}")
    version = config.get().meta_api_version
    if versions.has_ended(version, clock.now().date()):
        ended = versions.ends_on(version)
        click.echo(f"META_API_VERSION {version} ended on {ended}: Meta serves another version. Set {versions.CURRENT}.")
    for report in senders.webhook_reports():
        click.echo(f"{report.channel} {report.sender_id} ({report.name}): {report.address}")
        if not report.has_secret:
            click.echo("  There is no secret: every request is refused.")
        if report.has_token is False:
            click.echo("  There is no token: the provider cannot subscribe.")
        click.echo(f"  {report.waiting} items wait for their owner, {report.parked} are parked.")
        for dropped in report.dropped:
            click.echo(
                f"  {dropped.count} items for {dropped.recipient_id}, which nobody here owns, were dropped;"
                f" the last at {dropped.last_at:%Y-%m-%d %H:%M} UTC."
            )
    db.session.rollback()
