"""bin/setup in a copy of the tree, over a requirement made here: no network, no ensurepip, no pip."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.bin.conftest import ROOT


class Tree:
    """A project that needs one library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder.parent / "wheels"
        self.wheels.mkdir(exist_ok=True)
        (folder / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "bin" / "setup", folder / "bin" / "setup")
        (folder / "bin" / "vendor").symlink_to(ROOT / "bin" / "vendor")
        self.pin("1.0")
        (folder / "requirements-dev.txt").write_text("toybox==1.0\n")

    def pin(self, version: str) -> None:
        """Publish and require a version of the library."""
        name = f"toybox-{version}.dist-info"
        with zipfile.ZipFile(self.wheels / f"toybox-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("toybox.py", f"version = '{version}'\n")
            wheel.writestr(f"{name}/METADATA", f"Metadata-Version: 2.1\nName: toybox\nVersion: {version}\n")
            wheel.writestr(f"{name}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{name}/RECORD", "")
        (self.folder / "requirements.txt").write_text(f"toybox=={version}\n")

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        return kept | offline | {"PYTHON": sys._base_executable} | variables  # type: ignore[attr-defined]

    def setup(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run bin/setup to its end."""
        return subprocess.run(
            ["bin/setup", *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def installed(self) -> str:
        """The version in the virtual environment."""
        code = "import toybox; print(toybox.version)"
        python = self.folder / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A fresh project."""
    return Tree(tmp_path / "with space")


@pytest.mark.slow
def test_it_installs_without_ensurepip_and_is_then_quiet(tree: Tree, tmp_path: Path) -> None:
    first = tree.setup(PYTHON=_without(tmp_path, "ensurepip"))
    assert first.returncode == 0, first.stderr
    assert tree.installed() == "1.0"
    assert (tree.folder / ".venv" / "bin" / "pip").exists()
    second = tree.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def _without(folder: Path, module: str) -> str:
    """An interpreter in which a module cannot be imported."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(f"raise ImportError('{module} is not here')\n")
    wrapper = folder / "python-of-a-lean-system"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
    wrapper.chmod(0o755)
    return str(wrapper)


@pytest.mark.slow
def test_a_changed_pin_is_installed(tree: Tree) -> None:
    assert tree.setup().returncode == 0
    tree.pin("2.0")
    assert tree.setup().returncode == 0
    assert tree.installed() == "2.0"


@pytest.mark.slow
def test_the_tests_requirements_are_kept_apart(tree: Tree) -> None:
    (tree.folder / "requirements-dev.txt").write_text("toybox==3.0\n")
    assert tree.setup().returncode == 0
    failed = tree.setup("--dev")
    assert failed.returncode == 1
    assert "installing requirements-dev.txt failed" in failed.stderr
    assert tree.setup().returncode == 0, "what the product needs still stands"


@pytest.mark.slow
def test_client_libraries_stand_beside_the_environment(tree: Tree) -> None:
    tree.pin("2.0")
    tree.pin("1.0")
    (tree.folder / "requirements-clients.txt").write_text("toybox==2.0\n")
    clients = tree.folder / ".venv" / "clients"
    assert tree.setup().returncode == 0
    assert not clients.exists(), "only the tests need them"
    assert tree.setup("--dev").returncode == 0
    assert tree.installed() == "1.0"
    assert (clients / "toybox.py").read_text() == "version = '2.0'\n"
    (tree.folder / "requirements-clients.txt").write_text("toybox==1.0\n")
    assert tree.setup("--dev").returncode == 0
    assert (clients / "toybox.py").read_text() == "version = '1.0'\n"
    assert not (clients / "toybox-2.0.dist-info").exists()
    (tree.folder / "requirements-clients.txt").write_text("toybox==3.0\n")
    failed = tree.setup("--dev")
    assert (failed.returncode, "installing requirements-clients.txt failed" in failed.stderr) == (1, True)


@pytest.mark.slow
def test_a_moved_project_is_set_up_again(tree: Tree) -> None:
    assert tree.setup().returncode == 0
    tree.folder = tree.folder.rename(tree.folder.with_name("moved"))
    moved = tree.setup()
    assert moved.returncode == 0, moved.stderr
    assert "making .venv" in moved.stderr
    pip = (tree.folder / ".venv" / "bin" / "pip").read_text()
    assert "with space" not in pip


@pytest.mark.slow
def test_an_environment_whose_interpreter_is_gone_is_made_again(tree: Tree) -> None:
    assert tree.setup().returncode == 0
    python = tree.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(tree.folder / "removed-by-an-upgrade")
    assert tree.setup().returncode == 0
    assert tree.installed() == "1.0"


@pytest.mark.slow
def test_an_interrupted_installation_is_finished(tree: Tree) -> None:
    assert tree.setup().returncode == 0
    (tree.folder / ".venv" / "installed-requirements.txt").unlink()
    (tree.folder / ".venv.lock").mkdir()
    (tree.folder / ".venv.lock" / "pid").write_text("999999999\n")
    again = tree.setup()
    assert again.returncode == 0, again.stderr
    assert not (tree.folder / ".venv.lock").exists()


@pytest.mark.slow
def test_two_at_once_both_succeed(tree: Tree) -> None:
    both = [
        subprocess.Popen(["bin/setup"], cwd=tree.folder, env=tree.environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("making .venv" in text for text in said) == 1
    assert tree.installed() == "1.0"


def test_it_names_what_is_missing(tree: Tree, tmp_path: Path) -> None:
    missing = tree.setup(PYTHON="python-that-is-not-there")
    assert (missing.returncode, missing.stderr) == (
        1,
        "bin/setup: PYTHON=python-that-is-not-there does not exist\n",
    )
    broken = tmp_path / "broken-python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert tree.setup(PYTHON=str(broken)).stderr == f"bin/setup: PYTHON={broken} does not run\n"
    unpinned = tree.folder / "requirements.txt"
    unpinned.write_text("no-such-library==1.0\n")
    failed = tree.setup()
    assert failed.returncode == 1
    assert "no-such-library" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("bin/setup: installing requirements.txt failed")
    assert not (tree.folder / ".venv.lock").exists()


def test_without_any_suitable_python_it_says_which_were_looked_at(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    for tool in ("cat", "dirname", "mkdir", "rm", "sh", "head"):
        (path / tool).symlink_to(shutil.which(tool) or "")
    python = path / "python3"
    python.write_text("#!/bin/sh\necho 'is CPython 3.9, not CPython 3.11 to 3.14'\n")
    python.chmod(0o755)
    none = tree.setup(PYTHON="", PATH=str(path))
    assert none.returncode == 1
    assert "no CPython 3.11 to 3.14 found on the PATH (python3 is CPython 3.9" in none.stderr


def test_the_carried_pip_is_the_one_its_readme_names() -> None:
    vendor = ROOT / "bin" / "vendor"
    (wheel,) = vendor.glob("*.whl")
    assert f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}" in (vendor / "README.md").read_text()
