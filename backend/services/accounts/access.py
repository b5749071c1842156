"""Whose an account is and who may use it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Account
from backend.models.user import ADMIN, OPERATOR
from backend.services.auth.actor import Actor

WORKSPACE: Final = "workspace"
"""In place of the ids of people: everybody who may start campaigns."""


def of_sender(sender_id: int) -> Account | None:
    """The account behind a sender of the workspace in scope, also one that was removed; None for other senders."""
    return db.session.execute(
        select(Account).where(Account.sender_id == sender_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()


def find(account_id: int) -> Account:
    """An account of the workspace in scope by the id of its sender. Raises NotFound, also for one that was removed."""
    account = of_sender(account_id)
    if account is None or account.deleted_at is not None:
        raise NotFound("account_not_found", "There is no such account.")
    return account


def all_of_workspace() -> list[Account]:
    """The accounts of the workspace in scope, the oldest first."""
    return list(db.session.scalars(select(Account).where(Account.deleted_at.is_(None)).order_by(Account.sender_id)))


def usable_for(actor: Actor) -> list[Account]:
    """The accounts from which this person may start campaigns: their own, and those whose owner named them."""
    return [account for account in all_of_workspace() if may_use(actor, account)]


def may_use(actor: Actor, account: Account) -> bool:
    """Whether this person may start campaigns from the account."""
    if not actor.reaches(OPERATOR):
        return False
    if account.owner_user_id == actor.user_id:
        return True
    return WORKSPACE in account.allowed_senders or actor.user_id in account.allowed_senders


def may_see(actor: Actor, account: Account) -> bool:
    """Whether this person may be told how much the account has sent: admins of all, others of those they may use."""
    return actor.reaches(ADMIN) or may_use(actor, account)


def may_change(actor: Actor, account: Account) -> bool:
    """Whether this person may remove the account, or name who else uses it: its owner, and admins."""
    return account.owner_user_id == actor.user_id or actor.reaches(ADMIN)
