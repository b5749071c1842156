"""The migrations make exactly what the models say, in one line, and hold what no model can."""

from __future__ import annotations

import importlib.util
import json
from datetime import timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import text

from backend.core import clock
from backend.core.database import Base, db, system_scope
from backend.models import AlertSilence, AuditEntry, Consent
from backend.services.alerts.rules.matchers import Matcher, problem
from tests.support import factories


def test_there_is_one_head():
    assert len(ScriptDirectory("migrations").get_heads()) == 1


def test_models_and_migrations_agree(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_audit_trail_cannot_be_changed(app, databases):
    with system_scope("test"):
        home = factories.workspace()
        db.session.add(AuditEntry(workspace_id=home.id, actor="cli", action="test", at=home.created_at))
        db.session.commit()
    with psycopg.connect(databases.url, autocommit=True) as connection:
        for statement in (
            "UPDATE audit_entries SET actor = 'x'",
            "DELETE FROM audit_entries",
            "TRUNCATE audit_entries",
            "TRUNCATE audit_entries RESTART IDENTITY",
            "TRUNCATE workspaces CASCADE",
            "TRUNCATE users, audit_entries, workspaces CASCADE",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM audit_entries").fetchone() == (1,)


def test_every_foreign_key_of_a_tenant_table_to_a_tenant_table_holds_the_workspace(app):
    loose = []
    for table in Base.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            target = constraint.referred_table
            both = "workspace_id" in table.c and not table.c.workspace_id.nullable and "workspace_id" in target.c
            if both and not target.c.workspace_id.nullable and "workspace_id" not in constraint.column_keys:
                loose.append(f"{table.name}.{constraint.column_keys} -> {target.name}")
    assert loose == []


def test_stored_alerts_get_complete_labels_and_one_of_five_severities(app):
    spec = importlib.util.spec_from_file_location("alert_times", "migrations/versions/0009_alert_times.py")
    assert spec is not None
    assert spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with system_scope("test"):
        home = factories.workspace()
        db.session.commit()
    with db.engine.connect() as connection, connection.begin() as transaction:
        with Operations.context(MigrationContext.configure(connection)):
            migration.downgrade()
            for number, (source, severity, labels, item) in enumerate(_STORED, 1):
                values = {"home": home.id, "key": bytes([number]), "source": source, "severity": severity}
                alert = connection.execute(_ALERT, values | {"labels": json.dumps(labels)}).scalar_one()
                connection.execute(_ITEM, values | {"alert": alert, "labels": json.dumps(item)})
            migration.upgrade()
        after = connection.execute(_AFTER).all()
        transaction.rollback()
    assert [tuple(row) for row in after] == [
        ("critical", "critical", {"alertname": "HighLoad", "pod": "a"}),
        ("warning", "warning", {"pod": "a"}),
        ("warning", "warning", {"severity": "p1", "host": "db-1"}),
        ("warning", "warning", {"severity": "own"}),
    ]


_AFTER = text(
    "SELECT a.severity, i.severity, i.labels FROM alert_items i JOIN alerts a ON a.id = i.alert_id ORDER BY i.id"
)
_STORED = [
    ("alertmanager", "critical", {"alertname": "HighLoad"}, {"pod": "a"}),
    ("grafana", "warning", {"team": "blue"}, {"pod": "a"}),
    ("api", "p1", {"host": "db-1"}, {"host": "db-1"}),
    ("alertmanager", "sev_2", {}, {"severity": "own"}),
]
_ALERT = text(
    "INSERT INTO alerts (workspace_id, group_key, source, bot_name, severity, title, labels, opened_at, last_seen_at) "
    "VALUES (:home, :key, :source, 'alerts', :severity, 'x', CAST(:labels AS jsonb), now(), now()) RETURNING id"
)
_ITEM = text(
    "INSERT INTO alert_items (workspace_id, alert_id, key, severity, title, labels, first_seen_at, last_seen_at) "
    "VALUES (:home, :alert, :key, :severity, 'x', CAST(:labels AS jsonb), now(), now())"
)


@pytest.mark.parametrize(
    ("op", "value", "code"),
    [
        ("=~", "pay.*", None),
        ("=", "(?=x)", None),
        ("=~", "(?=x)x", "bad_pattern"),
        ("!~", r"(x)\1", "bad_pattern"),
        ("=~", "a{5000000}", "pattern_too_large"),
        ("=~", r"\pL{1000}", "pattern_too_large"),
        ("!~", "x" * 1001, "pattern_too_large"),
    ],
)
def test_rules_whose_patterns_are_refused_today_are_switched_off(app, op, value, code):
    module = ScriptDirectory("migrations").get_revision("0012").module
    now = clock.now()
    with system_scope("test"):
        home = factories.workspace()
        silence = AlertSilence(
            workspace_id=home.id,
            matchers=[{"label": "host", "op": op, "value": value}],
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            applied_at=now,
            created_at=now,
            updated_at=now,
        )
        db.session.add(silence)
        db.session.commit()
        with Operations.context(MigrationContext.configure(db.session.connection())):
            module._switch_off("alert_silences")
            module._switch_off("alert_policies")
        db.session.commit()
        db.session.refresh(silence)
        assert silence.disabled_code == code
        assert (silence.applied_at is None) is (code is not None)
        assert (problem(Matcher("host", op, value)) is not None) is (code is not None), "as the product judges"


def test_consents_cannot_be_changed(app, databases):
    with system_scope("test"):
        home = factories.workspace()
        db.session.add(
            Consent(
                workspace_id=home.id,
                contact_id=1,
                channel="telegram",
                purpose="marketing",
                basis="consent",
                state="given",
                source="form",
                obtained_at=home.created_at,
                recorded_at=home.created_at,
                recorded_by="cli",
            )
        )
        db.session.commit()
    with psycopg.connect(databases.url, autocommit=True) as connection:
        for statement in ("UPDATE consents SET state = 'withdrawn'", "DELETE FROM consents", "TRUNCATE consents"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)
        assert connection.execute("SELECT state FROM consents").fetchone() == ("given",)
