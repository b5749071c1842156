"""Fifty persons' accounts in one process: the memory and the idle CPU that each costs, against the simulated Telegram.

Each is logged in by its code before the process starts. What the process needs by itself is counted in: its memory and
CPU by account, while nothing happens.
"""

from __future__ import annotations

import asyncio
import time

import psutil

from backend.channels.telegram_user import logins
from backend.channels.telegram_user.logins import Application, CodeSent
from benchmarks import cpu
from benchmarks.result import Options, Result
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, stage, wait_for
from tests.support.telegram_box import TelegramBox

NAME = "accounts"
_FEW = 1
_SERVER_WAIT = 120.0


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    many, seconds = (5, 10.0) if options.quick else (50, 120.0)
    with TelegramBox(accounts=True) as box, stage() as on:
        on.environment |= {"TELEGRAM_MTPROTO_SERVER": box.control("GET", "/mtproto")["server"]}
        workspace_id = Seeding(on).workspace()
        for number in range(many):
            _connect(on, box, workspace_id, number)
        on.execute("UPDATE accounts SET deleted_at = now() WHERE id > (SELECT min(id) FROM accounts)")
        few = _measured(on, _FEW, seconds)
        on.execute("UPDATE accounts SET deleted_at = NULL, caught_up_at = NULL")
        all_of_them = _measured(on, many, seconds)
    more = many - _FEW
    result.passes.append({"few": few, "many": all_of_them})
    result.add(f"memory of the process by account, of {many}", all_of_them["memory"] / many, "MB", 5.0)
    result.add("idle CPU of the process by account, of a core", all_of_them["cpu"] / many * 100, "%", 0.2)
    result.add("memory of the process", all_of_them["memory"], "MB")
    result.add(
        "of that, what the others than the first added, each", (all_of_them["memory"] - few["memory"]) / more, "MB"
    )
    result.add("idle CPU of the process", all_of_them["cpu"] * 100, "%")
    result.add("idle CPU of the process with one account", few["cpu"] * 100, "%")
    result.add("idle CPU of PostgreSQL", all_of_them["postgres"] * 100, "%")
    return result


def _measured(on: Stage, accounts: int, seconds: float) -> dict[str, float]:
    """What the process needs with so many accounts, once all have caught up and a minute has passed."""
    on.start_worker("sessions")
    wait_for(
        lambda: (
            on.number("SELECT count(*) FROM accounts WHERE caught_up_at IS NOT NULL AND deleted_at IS NULL") == accounts
        ),
        _SERVER_WAIT,
        "the accounts to be connected",
    )
    time.sleep(seconds / 4)
    [process] = on.worker_children("sessions")
    before, began = _cpu(process), time.monotonic()
    postgres = cpu.seconds([on.postgres_pid])
    time.sleep(seconds)
    spent = time.monotonic() - began
    figures = {
        "cpu": (_cpu(process) - before) / spent,
        "postgres": (cpu.seconds([on.postgres_pid]) - postgres) / spent,
        "memory": process.memory_info().rss / 1e6,
    }
    on.end("worker")
    return figures


def _connect(on: Stage, box: TelegramBox, workspace_id: int, number: int) -> None:
    """An account that was logged in by its code, as the rows that connecting one leaves."""
    phone = f"+12025550{100 + number}"
    box.control("POST", "/accounts", {"phone": phone, "first_name": f"Person{number}"})
    application = Application(12345, "0" * 32, "Switchboard on bench", "1", on.environment["TELEGRAM_MTPROTO_SERVER"])

    async def log_in() -> logins.LoggedIn:
        sent = await logins.send_code(application, phone)
        assert isinstance(sent, CodeSent)
        code = box.control("GET", f"/accounts/{phone}/codes")["codes"][-1]["code"]
        return await logins.sign_in(application, sent.session, phone, sent.code_hash, code)

    logged_in = asyncio.run(log_in())
    Seeding(on).account(workspace_id, logged_in.user_id, logged_in.session)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
