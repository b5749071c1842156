"""The examples of integrations and accounts; see `objects`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import AccountLogin, User, Workspace
from backend.services.accounts import logins
from tests.http.objects import Example, example
from tests.support import accounts

API = {"api_id": "12345", "api_hash": "0" * 32}
PHONE = "+12025550101"
_made = count()


def account(caller: User) -> int:
    """The id of an account of the caller's."""
    number = next(_made)
    with workspace_scope(caller.workspace_id):
        home = db.session.get_one(Workspace, caller.workspace_id)
        session = accounts.SESSION[:-6] + f"{number:06x}"
        return accounts.account(home, caller, telegram_id=880000 + number, session=session).sender_id


def login(caller: User, state: str, command: str = "start", phone: str | None = PHONE) -> AccountLogin:
    """A login of the caller's that has come to this state."""
    with workspace_scope(caller.workspace_id):
        made = logins.begin(caller.workspace_id, caller.id, API, phone, command)
        made.state, made.answered_number = state, made.command_number
        db.session.flush()
        return made


@example("integrations.listing")
def _integrations(caller: User) -> Example:
    account(caller)
    return Example()


@example("integrations.connect_user")
def _connecting(caller: User) -> Example:
    """A code is on its way already: nothing is asked again."""
    login(caller, "code_required").delivery = "app"
    return Example(json={**API, "phone": PHONE}, status=202)


@example("integrations.verify_code")
def _verifying(caller: User) -> Example:
    """The same code once more, after it was taken."""
    login(caller, "done")
    return Example(json={"phone": PHONE, "code": "12345"})


@example("integrations.connect_qr")
def _scanning(caller: User) -> Example:
    shown = login(caller, "qr_waiting", "qr", None)
    shown.qr_url, shown.answered_number = "tg://login?token=AQID", 0
    shown.qr_expires_at = datetime.now(UTC) + timedelta(seconds=30)
    shown.claimed_until = clock.now() + timedelta(hours=1)
    return Example(json=dict(API))


@example("integrations.change")
def _change(caller: User) -> Example:
    return Example({"integration_id": account(caller)}, json={"senders": "workspace"})


@example("integrations.remove")
def _remove(caller: User) -> Example:
    return Example({"integration_id": account(caller)}, status=204)


@example("accounts.pace")
def _pace(caller: User) -> Example:
    return Example({"account_id": account(caller)})
