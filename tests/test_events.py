"""Every event: its class, who publishes it, who subscribes; the same in every process, and as documented."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from backend.core.events import Event
from tests.bin.conftest import ROOT

SERVICES = ROOT / "backend/services"
PAGE = ROOT / "docs/developing/events.md"
LIST = (
    "import json, sys\n"
    "from backend.core import config, events\n"
    "from backend.app import create_app\n"
    "{imports}"
    "found = {{kind.__name__: [f'{{f.__module__}}.{{f.__name__}}' for f in functions]"
    " for kind, functions in events._subscribers.items()}}\n"
    "json.dump(found, sys.stdout)\n"
)
PROCESSES = {
    "web": "import backend.asgi.application\n",
    "worker": "import backend.workers.child, backend.jobs.intake, backend.jobs.notifications\n"
    "import backend.jobs.background, backend.jobs.scheduling\n",
    "command line": "import backend.cli\n",
}


@cache
def event_classes() -> dict[str, type[Event]]:
    """Every event of the product by name, whoever imports it."""
    found = {}
    for path in SERVICES.rglob("events.py"):
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
        found.update({kind.__name__: kind for kind in classes if kind.__module__ == module.__name__})
    return found


def publishing() -> Iterator[tuple[str, str]]:
    """Each event's name with the module that publishes it."""
    for path in (ROOT / "backend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "events.publish"
                and isinstance(node.args[0], ast.Call)
            ):
                yield ast.unparse(node.args[0].func), _name_of(path)


def _name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "backend").with_suffix("").parts)


@cache
def subscribers_in(process: str) -> dict[str, list[str]]:
    """Who subscribes to what in a process of this kind."""
    code = LIST.format(imports=PROCESSES[process])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return {name: sorted(functions) for name, functions in found.items()}


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """The page's table: publishers and subscribers by event."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: (set(re.findall(r"`([\w.]+)`", by)), set(re.findall(r"`([\w.]+)`", to))) for name, by, to in rows}


def test_every_event_is_a_frozen_dataclass_with_a_name_of_its_own() -> None:
    names = [path for path in SERVICES.rglob("events.py") for _ in re.findall(r"\(Event\):", path.read_text())]
    assert len(event_classes()) == len(names)
    for kind in event_classes().values():
        assert dataclasses.is_dataclass(kind), kind
        assert kind.__dataclass_params__.frozen, kind
        assert kind.__doc__, kind


def test_every_event_is_published_and_nothing_else_is() -> None:
    assert {name for name, _ in publishing()} == set(event_classes())


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_has_the_same_subscribers(process: str) -> None:
    assert subscribers_in(process) == subscribers_in("web")
    assert set(subscribers_in(process)) <= set(event_classes())


def test_the_page_names_every_event_with_its_publishers_and_subscribers() -> None:
    published: dict[str, set[str]] = {}
    for name, module in publishing():
        published.setdefault(name, set()).add(module)
    heard = {name: {one.removeprefix("backend.") for one in found} for name, found in subscribers_in("web").items()}
    assert documented() == {name: (published[name], heard.get(name, set())) for name in event_classes()}
