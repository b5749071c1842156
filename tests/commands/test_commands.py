"""The command line: people, the demo workspace, keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend import cli
from backend.core import config, crypto, passwords
from backend.core.database import db, system_scope
from backend.models import AuditEntry, Sender, User, Workspace
from backend.services import key_rotation
from backend.services.auth import limits
from tests.support import factories


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    limits.reset()
    passwords.use(passwords.Passwords(memory_kib=64, passes=1))
    yield
    passwords.use(None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ()),
        (["--version"], ()),
        (["alert"], ("alert",)),
        (["alert", "send", "Hello"], ("alert", "send")),
        (["--app", "wsgi", "--debug", "alert", "send"], ("alert", "send")),
        (["-A", "wsgi:app", "-e", ".env", "keys", "generate"], ("keys", "generate")),
        (["--app=wsgi", "alert", "send"], ("alert", "send")),
        (["--app"], ()),
    ],
    ids=" ".join,
)
def test_the_command_stands_behind_the_options_of_flask_itself(arguments, expected):
    assert cli.command_of(arguments) == expected


def test_no_command_is_running_where_nobody_calls_one():
    assert not cli.is_running()


def flask(app: Flask, *arguments: str, stdin: str | None = None, status: int = 0) -> str:
    """Runs a command and returns what it printed."""
    result = app.test_cli_runner().invoke(args=list(arguments), input=stdin)
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result.output


def person(email: str) -> User:
    with system_scope("a test"):
        return db.session.scalars(select(User).where(User.email == email)).one()


def sign_in(client: FlaskClient, email: str, password: str) -> int:
    return client.post("/api/auth/login", json={"email": email, "password": password}).status_code


def test_an_owner_is_made_with_a_password_shown_once(app: Flask, client: FlaskClient) -> None:
    said = flask(app, "user", "create", "--owner", "--email", "Kim@Example.com", "--name", "Kim", "--workspace", "HQ")
    password = said.split("shown this once): ")[1].strip()
    made = person("kim@example.com")
    assert (made.is_owner, made.role, made.name) == (True, "admin", "Kim")
    assert sign_in(client, "kim@example.com", password) == 200
    with system_scope("a test"):
        assert db.session.scalars(select(Workspace.name)).all() == ["HQ"]
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "person.created")).one()
    assert (entry.actor, entry.detail) == ("cli", {"role": "admin", "owner": True})


def test_a_password_from_standard_input_is_not_shown(app: Flask, client: FlaskClient) -> None:
    said = flask(app, "user", "create", "--email", "a@example.com", "--password-stdin", stdin="correct horse\n")
    assert "correct horse" not in said
    assert "shown" not in said
    assert sign_in(client, "a@example.com", "correct horse") == 200


def test_the_derived_lookup_key_can_be_kept_before_the_secret_is_changed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = crypto.new_key()
    monkeypatch.setenv("SECRET_KEY", "weak-but-long-enough")
    printed = flask(app, "keys", "lookup-key").strip()
    before = crypto.Keyring.from_settings(keys, None, "weak-but-long-enough")
    after = crypto.Keyring.from_settings(keys, printed, "quite another secret")
    assert before.lookup("chat", "1") == after.lookup("chat", "1")
    monkeypatch.delenv("SECRET_KEY")
    assert "SECRET_KEY" in flask(app, "keys", "lookup-key", status=1)


def test_the_lookup_key_is_printed_where_the_secret_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["flask", "keys", "lookup-key"])
    monkeypatch.setattr(config, "read_dotenv", lambda _path: None)
    monkeypatch.setenv("SECRET_KEY", "x" * 16)
    result = cli.make_app().test_cli_runner().invoke(args=["keys", "lookup-key"])
    assert result.exit_code == 0
    assert result.output.strip() == crypto.derived_lookup_key("x" * 16)


def test_people_go_into_the_workspace_of_that_name(app: Flask) -> None:
    for number in range(2):
        flask(app, "user", "create", "--email", f"p{number}@example.com", "--workspace", "HQ", "--role", "viewer")
    assert person("p0@example.com").workspace_id == person("p1@example.com").workspace_id
    assert not person("p0@example.com").is_owner


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["--email", "taken@example.com"], None, "already uses"),
        (["--email", "nonsense"], None, "not a valid e-mail"),
        (["--email", "b@example.com", "--password-stdin"], "short\n", "at least"),
        (["--email", "b@example.com", "--password-stdin"], "", "no password"),
        (["--email", "b@example.com", "--workspace", "Twins"], None, "Several workspaces"),
    ],
)
def test_a_person_that_cannot_be_made_is_said_plainly(
    app: Flask, arguments: list[str], stdin: str | None, says: str
) -> None:
    factories.user(email="taken@example.com")
    factories.workspace(name="Twins")
    factories.workspace(name="Twins")
    db.session.commit()
    said = flask(app, "user", "create", *arguments, stdin=stdin, status=1)
    assert says in said
    assert "Traceback" not in said


def test_a_new_password_ends_the_sign_ins(app: Flask, client: FlaskClient) -> None:
    flask(app, "user", "create", "--email", "a@example.com", "--password-stdin", stdin="correct horse\n")
    body = client.post("/api/auth/login", json={"email": "a@example.com", "password": "correct horse"}).get_json()
    said = flask(app, "user", "set-password", "--email", "A@example.com")
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert client.get("/api/auth/me", headers=headers).status_code == 401
    assert sign_in(client, "a@example.com", said.split("shown this once): ")[1].strip()) == 200
    assert "Nobody here" in flask(app, "user", "set-password", "--email", "x@example.com", status=1)


def test_the_demo_is_made_once(app: Flask, client: FlaskClient) -> None:
    made = json.loads(flask(app, "demo", "create", "--json"))
    assert made["created"] is True
    assert sign_in(client, made["email"], made["password"]) == 200
    owner = person(made["email"])
    assert owner.is_owner
    assert json.loads(flask(app, "demo", "create", "--json")) == {"created": False, "url": "http://127.0.0.1:8000"}
    assert flask(app, "demo", "create") == ""
    with system_scope("a test counts"):
        assert db.session.scalar(select(func.count()).select_from(User)) == 3


def test_the_demo_leaves_an_instance_with_people_alone(app: Flask) -> None:
    factories.user()
    db.session.commit()
    assert json.loads(flask(app, "demo", "create", "--json"))["created"] is False


def test_the_demo_prints_its_login_for_people(app: Flask) -> None:
    said = flask(app, "demo", "create")
    assert "owner@example.com" in said
    assert "shown this once" in said


# --- keys ---------------------------------------------------------------------------------------------------


def test_a_generated_key_is_one(app: Flask) -> None:
    key = flask(app, "keys", "generate").strip()
    assert len(base64.urlsafe_b64decode(key)) == crypto.KEY_BYTES


@pytest.fixture
def rotated(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new key in front of the old one."""
    new = crypto.new_key()
    monkeypatch.setattr(
        config, "_current", settings.model_copy(update={"encryption_keys": f"{new},{settings.encryption_keys}"})
    )
    return new


def sealed_senders(count: int) -> list[int]:
    made = [factories.bot().id for _ in range(count)]
    db.session.commit()
    return made


def test_rotation_encrypts_everything_anew(
    app: Flask, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed_senders(5)
    with system_scope("a test"):
        tokens = {sender.id: sender.credentials for sender in db.session.scalars(select(Sender))}
    new = crypto.new_key()
    both = settings.model_copy(update={"encryption_keys": f"{new},{settings.encryption_keys}"})
    monkeypatch.setattr(config, "_current", both)
    assert sum(key_rotation.outstanding().values()) == 10
    said = flask(app, "keys", "rotate", "--batch", "2")
    assert "Rotated 10 values" in said
    assert flask(app, "keys", "rotate") == "Everything is encrypted under the first key already.\n"
    monkeypatch.setattr(config, "_current", settings.model_copy(update={"encryption_keys": new}))
    db.session.expire_all()
    with system_scope("a test"):
        assert {sender.id: sender.credentials for sender in db.session.scalars(select(Sender))} == tokens


def test_rotation_goes_on_where_it_stopped(
    app: Flask, settings: config.Settings, request: pytest.FixtureRequest
) -> None:
    sealed_senders(3)
    request.getfixturevalue("rotated")
    steps = key_rotation.rotate(batch=2)
    assert next(steps).rotated == 2
    steps.close()  # type: ignore[attr-defined]
    assert sum(key_rotation.outstanding().values()) == 4
    assert sum(step.rotated for step in key_rotation.rotate(batch=2)) == 4
    assert sum(key_rotation.outstanding().values()) == 0


def test_a_value_that_no_key_opens_is_left_and_said(app: Flask, request: pytest.FixtureRequest) -> None:
    first, second = sealed_senders(2)
    with system_scope("a test swaps ciphertexts"):
        one, other = db.session.get(Sender, first), db.session.get(Sender, second)
        assert one is not None
        assert other is not None
        one.credentials_encrypted = other.credentials_encrypted
        db.session.commit()
    request.getfixturevalue("rotated")
    said = flask(app, "keys", "rotate", status=1)
    assert "1 values could not be read" in said
    assert sum(key_rotation.outstanding().values()) == 1


def test_every_encrypted_column_is_found(app: Flask) -> None:
    found = {f"{table.name}.{column.name}" for table, column in key_rotation.columns()}
    assert {
        "senders.credentials_encrypted",
        "webhook_events.body_encrypted",
        "identities.external_id_encrypted",
    } <= found


def test_a_missing_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: config.Settings
) -> None:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["flask", "user", "create"])
    for name in config.REQUIRED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(click.ClickException, match="DATABASE_URL"):
        cli.make_app()
    monkeypatch.setattr("sys.argv", ["flask", "keys", "generate"])
    bare = cli.make_app()
    assert len(bare.test_cli_runner().invoke(args=["keys", "generate"]).output.strip()) == 44
    config.use(settings)


def test_the_command_line_reads_the_dotenv_file_and_real_variables_win(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], settings: config.Settings
) -> None:
    for name in environment:
        monkeypatch.setenv(name, "set so that it is taken back")
        monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in environment.items()))
    monkeypatch.setenv("SITE_URL", "https://real.example.com")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    cli.make_app()
    assert config.get().site_url == "https://real.example.com"
    assert config.get().secret_key == settings.secret_key
    config.use(settings)
