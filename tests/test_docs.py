"""The documentation says what is: variables, codes, commands, addresses and links are compared with the code."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import text

from backend.channels.telegram_bot import errors as bot_api_errors
from backend.core import failpoints
from backend.core.config import REQUIRED, Settings
from backend.core.database import db, system_scope
from backend.services.dispatch import chat_slots
from backend.services.notifications import attaching, reporting
from backend.services.senders import state

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BACKEND = ROOT / "backend"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(markdown: str) -> Iterator[list[str]]:
    """The cells of every table row, heads and rules aside."""
    for line in markdown.splitlines():
        if line.startswith("| ") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def blocks(markdown: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE)


# --- links ---


def slugs(path: Path) -> set[str]:
    """The anchors GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        reached = (path.parent / file).resolve() if file else path
        assert reached.is_file(), f"{path.name} links to {target}"
        assert not anchor or anchor in slugs(reached), f"{path.name} links to {target}: no such heading"


def test_the_readme_has_its_picture() -> None:
    picture = ROOT / "docs/images/first-notification.png"
    assert "docs/images/first-notification.png" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000


# --- configuration ---

EDGES = {"PORT", "WEB_CONCURRENCY", "SIMULATOR_PORT", "SIMULATOR_MTPROTO_PORT"}
EDGES |= {"PYTHON", "TEST_DATABASE_URL", "TEST_REDIS_URL"}
"""Variables read by the Procfile, bin/dev, bin/test and bin/setup."""


def documented_variables() -> dict[str, tuple[str, str]]:
    """Each variable's default and section."""
    found: dict[str, tuple[str, str]] = {}
    for section in re.split(r"^## ", page("configuration.md"), flags=re.MULTILINE)[1:]:
        for name, default, *_ in rows(section):
            if re.fullmatch(r"`[A-Z_]+`", name):
                assert name.strip("`") not in found, f"{name} stands twice"
                found[name.strip("`")] = (default, section.partition("\n")[0])
    return found


def test_every_variable_is_documented_with_its_default_and_no_other() -> None:
    documented = documented_variables()
    fields = {name.upper(): field for name, field in Settings.model_fields.items()}
    assert set(documented) == set(fields) | EDGES
    for name, field in fields.items():
        shown = str(field.default) if field.default not in ("", ()) else ""
        assert documented[name][0] == (f"`{shown}`" if shown else "–"), name
    assert {name for name, (_, section) in documented.items() if section == "Required"} == set(REQUIRED)


def test_the_example_and_the_procfile_name_only_documented_variables() -> None:
    documented = set(documented_variables())
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert example <= documented
    assert set(re.findall(r"\$\{?([A-Z_]+)", (ROOT / "Procfile").read_text(encoding="utf-8"))) <= documented


def test_variables_without_an_effect_are_said_to_have_none_and_no_others() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in BACKEND.rglob("*.py") if path.name not in ("config.py", "app.py")
    )
    code += (BACKEND / "app.py").read_text(encoding="utf-8").replace("settings.telegram_bot_configs", "")
    code += (BACKEND / "core/config.py").read_text(encoding="utf-8").partition("def webhook_base_url")[2]
    code += (ROOT / "Procfile").read_text(encoding="utf-8")
    unused = {name for name, (_, section) in documented_variables().items() if section == "Not used yet"}
    for name in Settings.model_fields:
        used = re.search(rf"(settings|self|get\(\))\.{name}\b|\{{{name.upper()}\b", code) is not None
        assert used != (name.upper() in unused), f"{name.upper()} is {'used' if used else 'not used'}"


# --- codes ---

# Where a call takes the code of an outcome: the position among its arguments.
_CODED = {
    "RetryLater": 1, "RecipientUnreachable": 0, "SenderDisabled": 0, "Rejected": 0, "OutcomeUnknown": 0, "Parked": 0,
    "EgressFailed": 0, "EgressRefused": 0, "DownloadFailed": 0, "Decision": 1, "cancel_pending": 1, "cancel": 1,
    "cancel_of_sender": 1, "unlink_all_of": 2,
    "block": 2, "disable": 1, "disable_chat": 2, "end_all": 1, "_end": 1, "_leave": 2, "_park": 1, "remember": 1,
    "_end_batch": 2, "record_failure": 1, "message_ended": 2, "_fail": 1,
}  # fmt: skip
_NAMED = frozenset({"code", "reason", "error", "disabled_code", "pause_reason", "blocked_code", "revoked_code"})
_OUTCOMES = (
    "channels",
    "core/egress",
    "services/conversations",
    "services/delivery",
    "services/dispatch",
    "services/intake",
)
_SERVICES = (
    "services/bots",
    "services/scheduling",
    "services/scheduled_messages",
    "services/housekeeping",
    "services/linking",
    "services/notifications",
    "services/senders",
)


def constants(value: ast.expr | None) -> Iterator[str]:
    """The texts an expression may be: itself, or the sides of a condition."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from constants(value.body)
        yield from constants(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for side in value.values:
            yield from constants(side)


def codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _CODED and len(node.args) > _CODED[name]:
                yield from constants(node.args[_CODED[name]])
            for keyword in node.keywords:
                if keyword.arg in _NAMED:
                    yield from constants(keyword.value)
        elif isinstance(node, ast.Assign):
            targets, value = node.targets[0], node.value
            pairs = zip(targets.elts, value.elts, strict=True) if (
                isinstance(targets, ast.Tuple) and isinstance(value, ast.Tuple)
            ) else [(targets, value)]  # fmt: skip
            for target, given in pairs:
                if getattr(target, "attr", getattr(target, "id", "")) in _NAMED:
                    yield from constants(given)
        elif isinstance(node, ast.Dict):
            entries = {key.value: given for key, given in zip(node.keys, node.values, strict=True)
                       if isinstance(key, ast.Constant)}  # fmt: skip
            # With a field it is a fault in a request, answered and not stored.
            for name in _NAMED & entries.keys() if "field" not in entries else ():
                yield from constants(entries[name])
        elif isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
            pairs_of = [*zip(named, node.defaults, strict=True), *zip(node.kwonlyargs, node.kw_defaults, strict=True)]
            for argument, default in pairs_of:
                if argument.arg in _NAMED:
                    yield from constants(default)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\b(?:reason =|coalesce\(error,) '(\w+)'", node.value)


def collect(*folders: str) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        for path in (BACKEND / folder).rglob("*.py"):
            if path == BACKEND / "core/egress/errors.py":
                continue  # the classes' own codes, which every raising replaces
            found.update(codes_in(ast.parse(path.read_text(encoding="utf-8"))))
    return {code for code in found if re.fullmatch(r"[a-z][a-z_]+", code)}


def reason_codes() -> set[str]:
    """Every code that an outcome can put into a row."""
    named = {attaching.FETCHING, reporting.QUIET, chat_slots.REASON, state.NOT_CONFIGURED, *state.REFUSED}
    told = {reason for _, _, reason in bot_api_errors._DESCRIPTIONS}
    return collect(*_OUTCOMES, *_SERVICES) | named | told


def test_the_collector_finds_the_codes_of_every_kind_of_place() -> None:
    known = {"blocked", "expired", "gave_up", "process_died", "chat_moved", "sending", "queued", "not_linked", "muted"}
    known |= {"unlinked", "link_refused", "private_address", "connect_failed", "unparsable", "token_refused"}
    known |= {"read_timeout", "stale_version", "attachment_failed", "outcome_unknown", "event_parked", "too_old"}
    assert known <= reason_codes()


def test_every_code_is_explained_in_plain_words() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", page("message-handling.md")))
    assert sorted(reason_codes() - explained) == []


def test_no_code_is_explained_that_the_code_base_does_not_have() -> None:
    whole = "\n".join(path.read_text(encoding="utf-8") for path in BACKEND.rglob("*.py"))
    first_cells = [cells[0] for cells in rows(page("message-handling.md"))]
    listed = {code for cell in first_cells for code in re.findall(r"^`([a-z_]+)`", cell)}
    elsewhere = {"state", "reason", "next_attempt_at", "attempts", "external_id", "error"}
    # A bot that left or was removed: Telegram's own word, passed on as it is.
    passed_on = {"left"}
    gone = {code for code in listed - elsewhere - passed_on if not re.search(rf"[\"']{code}[\"']", whole)}
    assert sorted(gone) == []


def test_every_way_a_sign_in_ends_is_explained() -> None:
    ended = {code for code in collect("services/auth") if f"`{code}`" not in page("authentication.md")}
    # Refusals of requests, which the API's own document lists.
    assert ended <= {"invalid_external_user_id", "invalid_email"}


# --- commands, addresses, statements ---


def option_names(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_exist(path: Path, app: Flask) -> None:
    page_text = path.read_text(encoding="utf-8")
    for script in re.findall(r"\bbin/(bench|check|dev|fix|new|run|setup|test)\b", page_text):
        assert os.access(ROOT / "bin" / script, os.X_OK), script
    for line in re.findall(r"\bflask ((?:user|telegram|alert|keys|demo|db) [a-z-]+[^`\n|]*)", page_text):
        group_name, name, *rest = line.split()
        group = app.cli.get_command(click.Context(app.cli), group_name)
        assert isinstance(group, click.Group), line
        command = group.get_command(click.Context(group), name.rstrip(","))
        assert command is not None, line
        used = {word for word in rest if re.fullmatch(r"--[a-z-]+", word)}
        assert used <= option_names(command), line


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_addresses_exist(path: Path, app: Flask) -> None:
    known = {
        (method, re.sub(r"<(?:\w+:)?\w+>", "<>", rule.rule).rstrip("/"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    page_text = path.read_text(encoding="utf-8")
    named = re.findall(r"\b(GET|POST|PATCH|PUT|DELETE) (/[a-z][^\s`?.,:)]*)", page_text)
    # A whole command, to its last line that does not end in a backslash; a body makes it a POST.
    for command in re.findall(r"curl -s(?:[^\n]*\\\n)*[^\n]*", page_text):
        for address in re.findall(r"\$API(/[\w/-]*)", command):
            named.append(("POST" if re.search(r" -(d|F) ", command) else "GET", address))
    for method, address in named:
        plain = re.sub(r"<\w+>|(?<=/)\d+(?=/|$)", "<>", address).rstrip("/")
        assert (method, plain) in known, f"{method} {address}"


def test_the_statements_run(app: Flask) -> None:
    statements = [one.strip() for block in blocks(page("operations.md"), "sql") for one in block.split(";")]
    with system_scope("a test of the documentation"):
        for statement in filter(None, statements):
            db.session.execute(text(statement))


def test_the_log_events_exist() -> None:
    section = page("operations.md").partition("## Logs")[2].partition("\n## ")[0]
    events = {event for cells in rows(section) for event in re.findall(r"`(\w+)`", cells[0])}
    code = "\n".join(path.read_text(encoding="utf-8") for path in BACKEND.rglob("*.py"))
    assert "request" in events
    assert sorted(event for event in events if f'"{event}"' not in code) == []


def test_every_failpoint_stands_in_the_failure_table() -> None:
    assert sorted(name for name in failpoints.NAMES if f"`{name}`" not in page("architecture.md")) == []


def test_every_check_of_the_checklist_is_explained() -> None:
    tree = ast.parse((BACKEND / "services/linking/diagnostics.py").read_text(encoding="utf-8"))
    checks = {
        code
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Check"
        for code in constants(node.args[0])
    }
    assert len(checks) > 10
    assert sorted(check for check in checks if f"`{check}`" not in page("linking.md")) == []
