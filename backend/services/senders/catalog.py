"""A workspace's own senders of one channel, in the scope of that workspace: added, found, given another token, removed.

An account of a provider has one webhook and one pace, so it is one sender of an instance at a time, and a sender's row
keeps to its account. A removed sender's row stays without its secrets, because messages point to it. Whose feature the
senders are keeps the audit and says what is wrong in its own words.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.spec import no_id
from backend.core import clock
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Conflict, NotFound
from backend.models import Sender
from backend.services import paging
from backend.services.senders import provider, webhook_verifier
from backend.services.senders.account_check import keep_facts
from backend.services.senders.credentials import change_settings, set_token
from backend.services.senders.state import NOT_CONFIGURED

_LOCKS: Final = 0x53454E44
"""The class of this feature's advisory locks."""
_WHY: Final = "a sender is no tenant table"


class SenderNameTaken(Conflict):
    """The workspace has a sender of that name in the channel."""


class AccountInUse(Conflict):
    """The instance has a sender of that account already; `own_name` is its name where it is the workspace's own."""

    own_name: str | None = None


class AnotherAccount(Conflict):
    """A token belongs to another account than the sender."""


def own(channel: str) -> tuple[ColumnElement[bool], ...]:
    """What holds for the senders of this channel that the workspace in scope made and did not remove."""
    return (
        Sender.workspace_id == workspace_id_in_scope(),
        Sender.channel == channel,
        Sender.source == "database",
        Sender.deleted_at.is_(None),
    )


def listing(
    channel: str, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Sender], str | None]:
    """The workspace's senders of a channel, oldest first, and the next page's cursor; neither the environment's nor
    removed ones."""
    query = select(Sender).where(*own(channel))
    with system_scope(_WHY):
        return paging.page(query, Sender.id, cursor=cursor, limit=limit, descending=False)


def get(channel: str, sender_id: int, *, lock: bool = False) -> Sender:
    """A sender of the workspace. Raises NotFound(`sender_not_found`), also for another workspace's, another channel's
    and a removed one."""
    query = select(Sender).where(Sender.id == sender_id, *own(channel))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    with system_scope(_WHY):
        sender = db.session.execute(query).scalar_one_or_none()
    if sender is None:
        raise NotFound("sender_not_found", "There is no such sender.")
    return sender


def identify(channel: str, token: str, settings: Mapping[str, str] | None = None) -> SenderFacts:
    """Asks the provider whose token this is, and keeps nothing. A network call: no transaction may be open. Raises one
    of the five channel errors, and NotAsked within a web request."""
    return provider.quick(channel).probe(Credentials(token, settings=settings or {}))


def create(
    channel: str,
    *,
    name: str,
    token: str,
    facts: SenderFacts,
    settings: Mapping[str, str] | None = None,
    is_active: bool = True,
) -> Sender:
    """Adds a sender; `facts` are what `identify` has just answered.

    Raises SenderNameTaken for a name that is taken in any case, AccountInUse, and Invalid for a malformed setting.
    """
    workspace_id = workspace_id_in_scope()
    with system_scope(_WHY):
        _refuse_second(workspace_id, channel, _account_of(channel, token, facts))
        sender = Sender(
            workspace_id=workspace_id,
            channel=channel,
            source="database",
            name=name,
            is_active=is_active,
            facts={},
            created_at=clock.now(),
        )
        set_token(sender, token)
        keep_facts(sender, facts)
        db.session.add(sender)
        flush_name()
        change_settings(sender, settings or {})
        webhook_verifier.forget()
    return sender


def replace_token(sender: Sender, token: str, facts: SenderFacts | None = None) -> None:
    """Gives a locked sender a new token of the same account; `facts` as in `create`. Raises AnotherAccount: chats,
    links and messages belong to the account."""
    check_account(sender, token, facts)
    with system_scope(_WHY):
        set_token(sender, token)
        if facts is not None:
            keep_facts(sender, facts)
        db.session.flush()
        webhook_verifier.forget()


def check_account(sender: Sender, token: str, facts: SenderFacts | None = None) -> None:
    """Raises AnotherAccount for a token of another account than the sender's: as the token itself tells, else as its
    provider does by `facts`."""
    account = _account_of(sender.channel, token, facts)
    if account is not None and account != sender.external_id:
        raise AnotherAccount("another_account", "That token is another account's.")


def retire(sender: Sender) -> None:
    """Removes a locked sender: its name is free, its token, secrets, settings, chats and facts are forgotten. Whatever
    belongs to it elsewhere is the caller's to end."""
    with system_scope(_WHY):
        sender.is_active, sender.disabled_code, sender.disabled_at = False, None, None
        sender.credentials = sender.webhook_secret = sender.joined_chat_ids = None
        sender.credentials_hash = None
        sender.settings = {}
        sender.facts = {}
        sender.deleted_at = clock.now()
        db.session.flush()
        webhook_verifier.forget()


def flush_name() -> None:
    """Stores what is pending. Raises SenderNameTaken where a sender's name is taken."""
    try:
        db.session.flush()
    except IntegrityError as error:
        if "uq_senders_name" not in str(error.orig):
            raise
        raise SenderNameTaken("sender_exists", "The workspace has a sender of that name.") from None


def _account_of(channel: str, token: str, facts: SenderFacts | None) -> str | None:
    """The account that a token belongs to; None where neither the token nor its provider has told."""
    id_in_token = registry.spec(channel).id_in_token
    if id_in_token is not no_id:
        return id_in_token(token) or ""
    return None if facts is None else facts.external_id


def _refuse_second(workspace_id: int, channel: str, account: str | None) -> None:
    """Waits for whoever adds the same account at this moment, and raises AccountInUse where it is here by then."""
    lock = zlib.crc32(f"{channel}:{account}".encode()) & 0x7FFFFFFF
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCKS, lock)))
    conditions: tuple[Any, ...] = (
        Sender.channel == channel,
        Sender.external_id == account,
        Sender.source.in_(("database", "environment")),
        Sender.deleted_at.is_(None),
        Sender.disabled_code.is_distinct_from(NOT_CONFIGURED),
    )
    known = db.session.scalars(select(Sender).where(*conditions)).first()
    if known is None:
        return
    refusal = AccountInUse("account_in_use", "This instance has that account already.")
    refusal.own_name = known.name if known.workspace_id == workspace_id else None
    raise refusal
