"""Alerts from Python: a transaction of their own, also as jobs."""

from __future__ import annotations

import pytest

from backend.core.database import db
from backend.core.errors import Invalid, NotFound
from backend.jobs import alerts as jobs
from backend.services.alerts.rules import templates
from backend.services.host_api import format_alert, send_alert, send_alert_templated
from tests.support import factories


@pytest.fixture
def stored(room):
    db.session.commit()
    return room


def test_an_alert_is_raised_counted_and_ended(stored):
    sent = send_alert("Disk full", "84 %", severity="error", throttle_key="disk")
    assert sent
    assert (sent.decision, sent.level, len(sent.message_ids)) == ("sent", "database", 1)
    assert send_alert("Disk full", "85 %", severity="error", throttle_key="disk").decision == "counted"
    ended = send_alert("Disk full", throttle_key="disk", status="resolved")
    assert (ended.decision, ended.count) == ("resolved", 2)
    assert not send_alert("Disk full", throttle_key="other", status="resolved")


def test_it_neither_sees_nor_commits_what_the_caller_has_open(stored):
    stored.home.name = "Not stored yet"
    send_alert("Disk full")
    db.session.rollback()
    db.session.refresh(stored.home)
    assert stored.home.name != "Not stored yet"
    assert stored.alert().title == "Disk full"


def test_a_template_by_name_or_as_it_is(stored):
    templates.create(
        factories.by("user:1"), {"name": "host_down", "title": "{host} is down", "body": "Since {since|a while}"}
    )
    db.session.commit()
    assert send_alert_templated("host_down", {"host": "db-1"}).decision == "sent"
    assert send_alert_templated("{host} is slow", {"host": "db-1"}).decision == "sent"
    assert [alert.title for alert in stored.alerts()] == ["db-1 is down", "db-1 is slow"]
    assert "Since a while" in stored.texts()[0]
    with pytest.raises(Invalid, match="template_not_found"):
        send_alert_templated("nobody_wrote_it")


def test_another_workspaces_template_is_not_there(stored):
    from tests.support import factories

    other = factories.workspace()
    templates.create(factories.by("user:1"), {"name": "host_down", "body": "down"})
    db.session.commit()
    with pytest.raises(Invalid, match="template_not_found"):
        send_alert_templated("host_down", workspace_id=other.id)


def test_written_out_without_being_sent(stored):
    assert format_alert("Disk <full>", "<b>84 %", severity="critical", labels={"host": "db-1"}, count=3).startswith(
        "🔴 <b>Disk &lt;full&gt;</b> ×3\n"
    )
    assert stored.alerts() == []


def test_an_unknown_workspace_is_refused(stored):
    with pytest.raises(NotFound, match="workspace_not_found"):
        send_alert("Disk full", workspace_id=99_999)


def test_as_jobs_which_may_run_twice(stored):
    assert jobs.send_alert(stored.home.id, "Backup failed", severity="error") == "sent"
    assert jobs.send_alert(stored.home.id, "Backup failed", severity="error") == "counted"
    assert jobs.send_alert_templated(stored.home.id, "{what} failed", {"what": "Import"}) == "sent"
    assert "Import" in jobs.format_alert("Import failed")
    assert len(stored.messages()) == 2
