"""A connection lives exactly as long as its lease: lost without a word, its socket is closed before anybody else's."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask

from backend.core import config
from backend.core.leases import LeaseKeeper, LeaseTerms
from backend.models import Account, Message, Workspace
from backend.workers import sessions
from tests.services.sessions.conftest import ANN, BOB, Running, duplicate_keys, id_of, sent_by
from tests.services.sessions.test_serving import chat_with, find_bob, say
from tests.support.engine import fresh, until
from tests.support.telegram_box import TelegramBox

TERMS = LeaseTerms(6.0, renew_share=0.25, early_share=1 / 3, grace=1.5)
"""A tenth of what the product has."""


def test_a_lost_lease_closes_the_connection_before_the_next_holder_connects(
    app: Flask,
    account: Account,
    home: Workspace,
    box: TelegramBox,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "LONG", TERMS)
    find_bob(account, home, running)
    chat = chat_with(account, id_of(box, BOB))
    cut_off = threading.Event()
    owners: list[LeaseKeeper] = []
    renew = LeaseKeeper.renew

    def renew_unless_cut_off(keeper: LeaseKeeper) -> None:
        """The first holder cannot reach the database any more, and nobody tells it."""
        if keeper not in owners:
            owners.append(keeper)
        if not (cut_off.is_set() and keeper is owners[0]):
            renew(keeper)

    monkeypatch.setattr(LeaseKeeper, "renew", renew_unless_cut_off)
    monkeypatch.setattr(LeaseKeeper, "acquire", _acquire_unless(cut_off, owners))
    with running():
        first = say(chat, "before")
        until(lambda: fresh(first).state == "sent", 30)
        cut_off.set()
        work, stop = sessions.loop(app, config.get(), "the next holder", None)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            second: Message = say(chat, "after")
            until(lambda: fresh(second).state == "sent", 40)
        finally:
            stop()
            thread.join(60)
    assert [entry["text"] for entry in sent_by(box, ANN)] == ["before", "after"]
    assert not duplicate_keys(box)


def _acquire_unless(cut_off: threading.Event, owners: list[LeaseKeeper]) -> Any:
    acquire = LeaseKeeper.acquire

    def acquire_unless_cut_off(keeper: LeaseKeeper, sender_ids: Any) -> Any:
        if cut_off.is_set() and owners and keeper is owners[0]:
            return []
        return acquire(keeper, sender_ids)

    return acquire_unless_cut_off
