"""A campaign to everybody of a workspace in this process, as the API does it, and prints what it took, as JSON.

`python -m benchmarks.campaigns_cost WORKSPACE` with the product's environment, over contacts that are there: for each
step seconds, CPU seconds of this process and of its connection, and statements; the most memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import psutil
from sqlalchemy import event, select, text

from backend.app import create_app
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import Account, AccountFirstConnection, Contact, Sender, User
from backend.services import conversations
from backend.services.auth.actor import Actor, scopes_of
from backend.services.campaigns import ledger, lifecycle, preflight, records, release, trials
from backend.services.delivery import quota

Result = TypeVar("Result")
_PAGES = 20
_BASIS = {"basis": "contract", "note": "They ordered from us this year."}


def main() -> None:
    """Drafts, checks and launches a campaign to all contacts, reads its ledger and gives the account its turns."""
    workspace_id = int(sys.argv[1])
    with create_app().app_context(), workspace_scope(workspace_id):
        with system_scope("a measurement"):
            backend = psutil.Process(db.session.execute(text("SELECT pg_backend_pid()")).scalar_one())
            actor, account_id = _account(workspace_id)
        meter = _Meter(backend)
        ids = list(db.session.scalars(select(Contact.id).where(Contact.erased_at.is_(None)).order_by(Contact.id)))
        given = {
            "name": "Spring",
            "audience": {"contact_ids": ids},
            "steps": [
                {"template": "Hello {first_name}, how is {company|your team}?", "delay_days": 0, "variants": []},
                {"template": "Shall I call?", "delay_days": 3, "variants": []},
            ],
            "account_id": account_id,
            "lawful_basis": _BASIS,
            "window": {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"},
        }
        campaign_id = meter.take("draft", lambda: records.create(actor, given)).id
        meter.take("preview", lambda: trials.preview(campaign_id, contact_id=None, step=1))
        preflight_id = meter.take("preflight", lambda: preflight.make(actor, campaign_id)).id
        meter.take("launch", lambda: lifecycle.launch(actor, campaign_id, preflight_id, accept_end_date=True))
        meter.take("turn", lambda: release.drain(Turn(seconds=3600)))
        cursor = None
        for _ in range(_PAGES):
            _, cursor = meter.take("page", lambda at=cursor: ledger.page(records.get(campaign_id), "en", cursor=at))  # type: ignore[misc]
        meter.take("page of a state", lambda: ledger.page(records.get(campaign_id), "en", state="failed"))
        meter.take("counts", lambda: ledger.counts([campaign_id]))
    spent: dict[str, Any] = meter.spent
    spent["people"] = len(ids)
    spent["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(spent))


class _Meter:
    """What steps took; a step that is taken several times has its medians."""

    def __init__(self, backend: psutil.Process) -> None:
        self._backend = backend
        self._taken: dict[str, list[dict[str, float]]] = {}
        self._statements = 0
        event.listen(db.engine, "before_cursor_execute", self._count)

    def take(self, name: str, step: Callable[[], Result]) -> Result:
        """Does a step and commits it."""
        db.session.expunge_all()
        self._statements = 0
        began, cpu, before = time.perf_counter(), time.process_time(), self._cpu()
        result = step()
        db.session.commit()
        self._taken.setdefault(name, []).append({
            "seconds": time.perf_counter() - began,
            "python": time.process_time() - cpu,
            "postgres": self._cpu() - before,
            "statements": self._statements,
        })  # fmt: skip
        return result

    @property
    def spent(self) -> dict[str, Any]:
        """The figures of each step: seconds, CPU seconds and statements."""
        return {
            name: {figure: sorted(measured[figure] for measured in taken)[len(taken) // 2] for figure in taken[0]}
            for name, taken in self._taken.items()
        }

    def _cpu(self) -> float:
        times = self._backend.cpu_times()
        return float(times.user + times.system)

    def _count(self, *_: object) -> None:
        self._statements += 1


def _account(workspace_id: int) -> tuple[Actor, int]:
    """A person with an account that has caught up."""
    now = clock.now()
    owner = User(workspace_id=workspace_id, name="Bench", role="admin", created_at=now)
    key = quota.key_of("telegram", f"77{workspace_id}")
    sender = Sender(workspace_id=workspace_id, channel="telegram_user", name="account", created_at=now)
    db.session.add_all([owner, sender])
    db.session.add(AccountFirstConnection(quota_key=key, first_connected_at=now - timedelta(days=30)))
    db.session.flush()
    account = Account(
        workspace_id=workspace_id,
        sender_id=sender.id,
        owner_user_id=owner.id,
        telegram_user_hash=conversations.identity_hash("telegram_user", f"77{workspace_id}"),
        quota_key=key,
        name="Bench",
        device="Switchboard on bench",
        state="connected",
        since=now,
        created_at=now,
        caught_up_at=now,
    )
    account.telegram_user_id = f"77{workspace_id}"
    db.session.add(account)
    db.session.commit()
    label = f"user:{owner.id}"
    return Actor(owner.id, workspace_id, "admin", True, scopes_of("admin"), label), sender.id


if __name__ == "__main__":
    main()
