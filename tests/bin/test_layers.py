"""The import contracts in pyproject.toml cover every folder that they are about."""

from __future__ import annotations

import tomllib
from typing import Any

from tests.bin.conftest import ROOT


def contracts() -> dict[str, dict[str, Any]]:
    """The contracts by name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}


def test_every_providers_folder_is_kept_apart() -> None:
    folders = {f"backend.channels.{path.parent.name}" for path in (ROOT / "backend" / "channels").glob("*/__init__.py")}
    kept_apart = set(contracts()["a provider's folder knows no other provider's"]["modules"])
    shared = contracts()["what channels share knows no provider's folder"]
    assert kept_apart | set(shared["source_modules"]) == folders
    assert set(shared["forbidden_modules"]) == kept_apart


def test_every_layer_but_the_providers_is_kept_from_the_network() -> None:
    contract = contracts()["only channels, llm and core.egress speak to the network"]
    named = {module.removeprefix("backend.") for module in contract["source_modules"]}
    layers = {path.parent.name for path in (ROOT / "backend").glob("*/__init__.py")}
    layers |= {path.stem for path in (ROOT / "backend").glob("*.py") if path.stem != "__init__"}
    assert named == layers - {"channels", "llm"}
