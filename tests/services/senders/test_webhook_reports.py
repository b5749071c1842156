"""What an operator is told of webhooks: what is missing, what waits, what was dropped."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.core.errors import Invalid
from backend.core.work import Turn
from backend.models import Sender
from backend.services import intake, senders
from backend.services.intake import waiting_items
from backend.services.senders import webhook_verifier
from tests.support import example_provider as example
from tests.support import factories
from tests.support.example_provider import body, message


@pytest.fixture(autouse=True)
def _example(app):
    with example.added(), system_scope("a test of all workspaces"):
        yield


def accept(sender, raw):
    webhook_verifier.forget()
    target = senders.webhook_target_of("example", sender.id)
    assert target is not None
    recipients = target.prove(example.signed(raw), raw)
    assert recipients is not None
    assert intake.accept(target, raw, recipients).result(60) in (True, False)


def report_of(sender):
    db.session.rollback()
    return next(report for report in senders.webhook_reports() if report.sender_id == sender.id)


def test_dropped_waiting_and_parked_items_are_counted():
    home = factories.workspace()
    one = example.sender(home, "account-1", verify_token="t0ken")
    accept(one, body(("account-9", message(1)), ("account-8", message(2)), ("account-9", message(3))))
    accept(one, b"\xff")
    example.sender(home, None)
    accept(one, body(("account-7", message(4))))
    report = report_of(one)
    assert (report.channel, report.address) == ("example", f"http://127.0.0.1:8000/example/webhook/{one.id}")
    assert (report.has_secret, report.has_token, report.waiting, report.parked) == (True, True, 1, 1)
    assert {dropped.recipient_id: dropped.count for dropped in report.dropped} == {"account-9": 2, "account-8": 1}
    waiting_items.resolve(Turn(60.0))
    assert report_of(one).waiting == 1


def test_what_is_missing_is_said():
    one = example.sender(factories.workspace(), "account-1", secret="")
    assert (report_of(one).has_secret, report_of(one).has_token) == (False, False)
    bot = factories.bot(factories.workspace(), secret="")
    db.session.commit()
    assert (report_of(bot).has_secret, report_of(bot).has_token) == (False, None)


def test_what_only_sends_has_no_webhook():
    factories.bot(factories.workspace(), source="configs")
    db.session.commit()
    assert senders.webhook_reports() == []


def test_the_command_line_says_it(app: Flask):
    one = example.sender(factories.workspace(), "account-1")
    accept(one, body(("account-9", message(1))))
    printed = app.test_cli_runner().invoke(args=["channels", "webhooks"]).output
    assert f"example {one.id} (" in printed
    assert "There is no token" in printed
    assert "1 items for account-9, which nobody here owns, were dropped" in printed
    assert example.SECRET not in printed.replace(one.name, "")


def test_settings_are_encrypted_and_change_by_name():
    one = example.sender(factories.workspace(), "account-1")
    assert senders.change_settings(one, {"verify_token": "t0ken", "app_secret": example.SECRET}) == ["verify_token"]
    assert senders.change_settings(one, {"verify_token": None}) == ["verify_token"]
    db.session.commit()
    row = db.session.execute(select(Sender).where(Sender.id == one.id)).scalar_one()
    assert row.settings == {"app_secret": example.SECRET}
    assert example.SECRET.encode() not in (row.settings_encrypted or b"")
    assert senders.credentials_of(row).settings == {"app_secret": example.SECRET}
    assert example.SECRET not in repr(senders.credentials_of(row))


@pytest.mark.parametrize("value", ["", "with space", "line\nbreak", "x" * 5000])
def test_a_setting_that_no_provider_gives_is_refused(value):
    one = example.sender(factories.workspace(), "account-1")
    with pytest.raises(Invalid):
        senders.change_settings(one, {"verify_token": value})
