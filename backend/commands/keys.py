"""`flask keys`: the keys of encryption at rest."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.core import config, crypto
from backend.services import key_rotation

group = AppGroup("keys", help="Keys of encryption at rest.")


@group.command("generate", with_appcontext=False)
def generate() -> None:
    """Print a new key, in the form ENCRYPTION_KEYS and LOOKUP_KEY take.

    To rotate: put it in front of ENCRYPTION_KEYS, restart every process, run `flask keys rotate`, then take the old
    one out.
    """
    click.echo(crypto.new_key())


@group.command("lookup-key", with_appcontext=False)
def lookup_key() -> None:
    """Print the LOOKUP_KEY that is derived from the SECRET_KEY in the environment.

    Before SECRET_KEY is changed: set LOOKUP_KEY to this, and known chats are still recognised afterwards.
    """
    secret = config.unchecked("SECRET_KEY")
    if not secret:
        raise click.ClickException("SECRET_KEY is not set.")
    click.echo(crypto.derived_lookup_key(secret))


@group.command("rotate")
@click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True, help="Rows per transaction.")
def rotate(batch: int) -> None:
    """Encrypt everything again under the first key.

    Can be stopped at any time and run again: what is done stays done.
    """
    remaining = key_rotation.outstanding()
    total = sum(remaining.values())
    if total == 0:
        click.echo("Everything is encrypted under the first key already.")
        return
    failed = 0
    with click.progressbar(length=total, label="Rotating", show_pos=True) as bar:
        for step in key_rotation.rotate(batch):
            failed += step.unreadable
            bar.update(step.rotated + step.unreadable)
    if failed:
        raise click.ClickException(
            f"{failed} values could not be read with any key of ENCRYPTION_KEYS and were left as they are."
        )
    click.echo(f"Rotated {total} values. The old keys can now be taken out of ENCRYPTION_KEYS.")
