"""`flask alert send` as a deploy script runs it: a process of its own, and nothing but the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from backend.commands import alert
from backend.core import logging
from backend.core.database import system_scope
from backend.models import Workspace
from tests.channels.scripted_server import ScriptedServer, drop, free_port, ok, refuse, scripted_server
from tests.commands.test_telegram import failure_of
from tests.support import factories
from tests.support.talking import commit
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456:FAKE-TOKEN-of-a-deploy-script"
CHATS = "-1009876543210"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def run(
    server: ScriptedServer | str, *words: str, stdin: str | None = None, app: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `flask alert send` with these variables and no others; empty ones hide what a `.env` may hold."""
    bare = {
        "PATH": os.environ["PATH"],
        "TELEGRAM_API_URL": server if isinstance(server, str) else server.url,
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "TELEGRAM_BOT_TOKEN": "",
        "TELEGRAM_CHAT_IDS": "",
        "TELEGRAM_BOT_CONFIGS": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "flask", *(["--app", app] if app else []), "alert", "send", *words],
        cwd=ROOT,
        env=bare | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown, shown
    for secret in (TOKEN.partition(":")[2], CHATS):
        assert secret not in shown, shown
    return done


def sent(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a success."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    return line


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a failure."""
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def accepted(number: int) -> object:
    return {"message_id": number, "date": 1, "chat": {"id": 1, "type": "private"}}


def test_a_bare_environment_is_enough(server: ScriptedServer) -> None:
    server.script = [ok(accepted(12))]
    done = run(server, "--bot-name", "deploy", "Release 4.2", TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_IDS=CHATS)
    assert sent(done) == "Sent message 12 (level environment)"
    (request,) = server.received
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert request.json == {"chat_id": int(CHATS), "text": "Release 4.2"}


def test_the_application_may_be_named_and_a_bare_environment_is_still_enough(server: ScriptedServer) -> None:
    server.script = [ok(accepted(12))]
    done = run(server, "Release 4.2", app="wsgi", TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_IDS=CHATS)
    assert sent(done) == "Sent message 12 (level environment)"


def test_a_named_bot_of_the_environment_comes_before_the_nameless_one(server: ScriptedServer) -> None:
    server.script = [ok(accepted(1)), ok(accepted(2))]
    configs = '[{"name": "Deploy", "token": "' + TOKEN + '", "chat_ids": "5, @ops"}]'
    done = run(
        server,
        *("--bot-name", "deploy", "--severity", "critical", "--title", "a < b", "Down & out"),
        TELEGRAM_BOT_CONFIGS=configs,
        TELEGRAM_BOT_TOKEN="999999:EXAMPLE-NOT-THIS-ONE",
        TELEGRAM_CHAT_IDS="7",
    )
    assert sent(done) == "Sent messages 1, 2 (level configs)"
    assert [one.json["chat_id"] for one in server.received] == [5, "@ops"]
    assert server.received[0].json["text"] == "🔴 <b>a &lt; b [critical]</b>\n\nDown &amp; out"
    assert server.received[0].json["parse_mode"] == "HTML"


def test_arguments_come_first_and_standard_input_is_taken(server: ScriptedServer) -> None:
    server.script = [ok(accepted(3))]
    done = run(
        server,
        *("--token", TOKEN, "--chat-id", CHATS, "-"),
        stdin="line one\nline two ✅\n\n",
        TELEGRAM_BOT_TOKEN="999999:EXAMPLE-NOT-THIS-ONE",
        TELEGRAM_CHAT_IDS="7",
    )
    assert sent(done) == "Sent message 3 (level arguments)"
    assert server.received[0].json["text"] == "line one\nline two ✅"


def test_bytes_that_are_no_text_are_replaced_and_the_alert_arrives(server: ScriptedServer) -> None:
    server.script = [ok(accepted(4))]
    words = (os.fsdecode(b"--title=caf\xe9"), os.fsdecode(b"disk \xff\xfe full"))
    done = run(server, "--token", TOKEN, "--chat-id", CHATS, *words)
    assert sent(done) == "Sent message 4 (level arguments)"
    assert "caf�" in server.received[0].json["text"]
    assert "disk �� full" in server.received[0].json["text"]


def test_a_wait_that_telegram_asks_for_is_honoured_once_and_within_the_bound(server: ScriptedServer) -> None:
    environment = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_IDS": CHATS}
    server.script = [refuse(429, "Too Many Requests: retry after 1", retry_after=1), ok(accepted(4))]
    began = time.monotonic()
    assert sent(run(server, "Hello", **environment)) == "Sent message 4 (level environment)"
    assert time.monotonic() - began >= 1
    server.script = [refuse(429, "Too Many Requests: retry after 3000", retry_after=3000)]
    line = failed(run(server, "Hello", **environment))
    assert line == "Error: Telegram asks to wait 3000 seconds, which is too long (level environment)"


def test_what_telegram_does_not_accept_is_one_line_and_is_not_repeated(server: ScriptedServer) -> None:
    server.script = [drop]
    line = failed(run(server, "Hello", TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_IDS=CHATS))
    assert line.startswith("Error: no answer came, so nobody knows whether it was sent")
    assert len(server.received) == 1


def test_one_chat_that_fails_keeps_the_others_from_nothing(server: ScriptedServer) -> None:
    server.script = [refuse(403, "Forbidden: bot was blocked by the user"), ok(accepted(9))]
    line = failed(run(server, "Hello", TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_IDS="5,6"))
    assert line == "Error: chat 1 of 2: the bot is blocked there (blocked) (sent: message 9) (level environment)"


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["Hello"], {}, "There is no such bot. Set TELEGRAM_BOT_CONFIGS with an entry 'alerts'"),
        (["--bot-name", "x", "Hello"], {"TELEGRAM_BOT_TOKEN": TOKEN}, "There is no such bot."),
        (["--bot-name", "default", "Hello"], {"TELEGRAM_BOT_TOKEN": TOKEN}, "There is no chat to write to"),
        (["--token", "nonsense", "--chat-id", "5", "Hello"], {}, "That is not a bot's token"),
        (["--token", TOKEN, "Hello"], {}, "There is no chat to write to"),
        (["--token", TOKEN, "--chat-id", "somebody", "Hello"], {}, "A chat is a number"),
        (["Hello"], {"TELEGRAM_BOT_CONFIGS": "{"}, "TELEGRAM_BOT_CONFIGS: is not a JSON list"),
        ([" \n"], {}, "There is nothing to send"),
        (["-"], {}, "There is nothing to send"),
        ([], {}, "Missing argument"),
        (["--nonsense", "Hello"], {}, "No such option"),
        (["--bot-id", "0", "Hello"], {}, "Invalid value"),
        (["x" * 100_001], {}, "longer than 100000 characters"),
    ],
)
def test_whatever_is_wrong_is_one_line_and_nothing_is_sent(
    server: ScriptedServer,
    words: list[str],
    environment: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In this process, for there are many of them; it keeps its own log.
    monkeypatch.setattr(logging, "configure", lambda *_: None)
    given = {"TELEGRAM_API_URL": server.url, "DATABASE_URL": "", "TELEGRAM_BOT_CONFIGS": "", "TELEGRAM_CHAT_IDS": ""}
    result = CliRunner().invoke(
        alert.group, ["send", *words], input="", env=given | {"TELEGRAM_BOT_TOKEN": ""} | environment
    )
    assert expected in failure_of(result)
    assert TOKEN not in result.output
    assert server.received == []


def test_a_failure_of_the_command_line_itself_is_one_line_too(server: ScriptedServer) -> None:
    assert "No such option" in failed(run(server, "--nonsense", "Hello"))


def test_a_database_bot_comes_first_where_there_is_a_database(
    app: Flask, server: ScriptedServer, environment: dict[str, str]
) -> None:
    home: Workspace = factories.workspace()
    other = factories.workspace()
    for of, chat in ((home, CHATS), (other, "6")):
        bot = factories.bot(of, name="Deploy", token=TOKEN if of is home else None)
        with system_scope("a test"):
            bot.chat_ids, bot.message_thread_id = (chat,), "42"
    commit()
    needed = {name: environment[name] for name in ("DATABASE_URL", "ENCRYPTION_KEYS", "SECRET_KEY")}
    lower = {"TELEGRAM_BOT_TOKEN": "999999:EXAMPLE-NOT-THIS-ONE", "TELEGRAM_CHAT_IDS": "7"}
    server.script = [ok(accepted(1)), ok(accepted(2)), ok(accepted(3)), ok(accepted(4))]
    assert sent(run(server, "--bot-name", "deploy", "Hello", **needed, **lower)) == "Sent message 1 (level database)"
    assert server.received[0].path.startswith(f"/bot{TOKEN}/")
    assert server.received[0].json["message_thread_id"] == 42
    assert "(level environment)" in sent(run(server, "--bot-name", "other", "Hello", **needed, **lower))
    # Without the keys, or with others, the environment decides and the line says so.
    line = sent(run(server, "--bot-name", "deploy", "Hello", DATABASE_URL=needed["DATABASE_URL"], **lower))
    assert line.startswith("Sent message 3 (level environment; the database was not asked: ENCRYPTION_KEYS")
    others = needed | {"ENCRYPTION_KEYS": "OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg="}
    line = sent(run(server, "--bot-name", "deploy", "Hello", **others, **lower))
    assert "level environment; the database could not be read: ENCRYPTION_KEYS are others" in line


def test_a_database_that_is_away_stops_nothing_and_is_said(server: ScriptedServer) -> None:
    needed = {
        "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        "ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "SECRET_KEY": "a-secret-key-for-the-tests-only-0123456789",
    }
    server.script = [ok(accepted(5))]
    lower = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_IDS": CHATS}
    line = sent(run(server, "--bot-name", "deploy", "Hello", **needed, **lower))
    assert line == "Sent message 5 (level environment; the database could not be asked: OperationalError)"
    line = failed(run(server, "--bot-name", "deploy", "Hello", **needed))
    assert "There is no such bot. (the database could not be asked: OperationalError)" in line


@pytest.mark.slow
def test_long_text_arrives_whole_in_parts_at_the_simulated_telegram() -> None:
    text = "\n".join(f"line {number} 🚀 ünïcode <b>" for number in range(900))
    with TelegramBox(bots=[f"{DEMO_TOKEN}:switchboard_demo_bot"]) as box:
        person = box.person("Jonas")
        box.start(person)
        chat = str(person["id"])
        done = run(box.url, "--title", "Log", "-", stdin=text, TELEGRAM_BOT_TOKEN=DEMO_TOKEN, TELEGRAM_CHAT_IDS=chat)
        assert "(level environment)" in sent(done)
        said = [one["text"] for one in box.transcript(person) if one.get("text", "").count("line ")]
    assert len(said) > 2
    assert [line for part in said for line in part.splitlines() if line.startswith("line ")] == text.splitlines()


def test_the_command_is_one_of_the_application_too(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["alert", "send", "--nonsense", "Hello"])
    assert "No such option" in failure_of(result)
