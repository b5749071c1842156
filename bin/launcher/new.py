"""`bin/new page NAME` and `bin/new job NAME`: the files of a console page, or of a job of the instance, that works.

Its tests, texts, its line in the navigation or the registry and its lines in the docs come with it, and `bin/test`
passes. Then change what it shows or does. A name is lower-case letters, digits and `_`.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .checks import project_environment
from .environment import ROOT

SCAFFOLDS: Final = Path(__file__).parent / "scaffolds"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,30}")
_CONSOLE: Final = "backend/http/console"
_JOBS: Final = "backend/services/housekeeping"


class CannotMake(Exception):
    """The message tells a person what to do."""


def main() -> int:
    """The command. The exit code is 1 when nothing was made."""
    kinds: dict[str, Callable[[str], list[str]]] = {"page": new_page, "job": new_job}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        added = kinds[sys.argv[1]](_checked(sys.argv[2]))
    except CannotMake as error:
        print(f"bin/new: {error}", file=sys.stderr)
        return 1
    for command in (["check", "--quiet", "--fix", "--select", "I"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, *_python(added)]
        subprocess.run(ruff, cwd=ROOT, env=project_environment(), check=True)
    print("\n".join(added))
    return 0


def new_page(name: str) -> list[str]:
    """Makes a console page; returns the files that were written or changed."""
    page = f"{_CONSOLE}/{name}"
    files = {
        "init": f"{page}/__init__.py",
        "views": f"{page}/views.py",
        "listing": f"{page}/templates/{name}/listing.html",
        "en": f"backend/locales/en/console_{name}.json",
        "ko": f"backend/locales/ko/console_{name}.json",
        "test": f"tests/http/console/test_{name}.py",
        "browser_test": f"tests/browser/test_{name}.py",
    }
    title = _title(name)
    navigation = _read(f"{_CONSOLE}/kit/navigation.py")
    entry = f'            Entry("{name}", "console_{name}.listing", "list-filter", "{_letter(name, navigation)}"),\n'
    label = f'  "console.nav.{name}": "{title}",\n'
    changes = {
        f"{_CONSOLE}/kit/navigation.py": _before_pattern(
            navigation, r' {8}\),\n {4}\),\n {4}\(\s*"connections"', entry
        ),
        f"{_CONSOLE}/__init__.py": _before(
            _after(
                _read(f"{_CONSOLE}/__init__.py"),
                "from apiflask import APIBlueprint\n\n",
                f"from backend.http.console.{name} import views as {name}\n",
            ),
            "]\n",
            f"    {name}.bp,\n",
        ),
        "docs/console.md": _before(
            _read("docs/console.md"),
            "\n## Keys",
            f"| {title} | the people of the workspace, until it shows its own |\n",
        ),
        **{
            path: _before(_read(path), '  "console.nav.overview"', label)
            for path in ("backend/locales/en/console.json", "backend/locales/ko/console.json")
        },
    }
    return _write("page", name, files, changes)


def new_job(name: str) -> list[str]:
    """Makes a job of the instance; returns the files that were written or changed."""
    files = {"module": f"{_JOBS}/{name}.py", "test": f"tests/services/housekeeping/test_{name}.py"}
    declarations = _read(f"{_JOBS}/declarations.py")
    declarations = _before(declarations, "\nMODULES = (", f"from {_JOBS.replace('/', '.')} import {name}\n")
    row = f"| `{name}` | every hour | writes the number of workspaces into the log |\n"
    work = f"| `{name}` | `background` | tick | writes the number of workspaces into the log |\n"
    changes = {
        f"{_JOBS}/declarations.py": re.sub(
            r"MODULES = \(\n(.*?)\)\n",
            lambda match: f"MODULES = (\n{_sorted_lines(match[1], f'    {name},')})\n",
            declarations,
            flags=re.DOTALL,
        ),
        "docs/scheduling.md": _after_line(_read("docs/scheduling.md"), "| `retention` | every hour |", row),
        "docs/operations.md": _after_line(_read("docs/operations.md"), "| `retention` | `background` |", work),
    }
    return _write("job", name, files, changes)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise CannotMake(f"{name} is no name: 2 to 31 lower-case letters, digits and _, beginning with a letter")
    return name


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _letter(name: str, navigation: str) -> str:
    """The letter that follows `g`: the first one of the name that no page has, else any."""
    taken = {"g", *re.findall(r'Entry\("[^)]*"([a-z])"', navigation)}
    letters = [letter for letter in f"{name}abcdefghijklmnopqrstuvwxyz" if letter.isalpha() and letter not in taken]
    if not letters:
        raise CannotMake("every letter leads to a page already; take one away in kit/navigation.py")
    return letters[0]


def _write(kind: str, name: str, files: dict[str, str], changes: dict[str, str]) -> list[str]:
    """Writes everything, once it is known that nothing is in the way."""
    for path in files.values():
        if (ROOT / path).exists():
            raise CannotMake(f"there is a {path} already")
    for scaffold, path in files.items():
        text = (SCAFFOLDS / kind / f"{scaffold}.txt").read_text(encoding="utf-8")
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace("@name@", name).replace("@title@", _title(name)), encoding="utf-8")
    for path, text in changes.items():
        (ROOT / path).write_text(text, encoding="utf-8")
    return [*files.values(), *changes]


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _before(text: str, mark: str, added: str) -> str:
    at = text.rfind(mark)
    if at < 0:
        raise CannotMake(f"the place before {mark.strip()!r} is gone: bin/launcher/new.py looks for it")
    return text[:at] + added + text[at:]


def _before_pattern(text: str, pattern: str, added: str) -> str:
    """Like `_before`, for a place that the formatter may lay out in more than one way."""
    match = re.search(pattern, text)
    if match is None:
        raise CannotMake(f"the place before {pattern!r} is gone: bin/launcher/new.py looks for it")
    return text[: match.start()] + added + text[match.start() :]


def _after(text: str, mark: str, added: str) -> str:
    at = text.find(mark)
    if at < 0:
        raise CannotMake(f"the place after {mark.strip()!r} is gone: bin/launcher/new.py looks for it")
    return text[: at + len(mark)] + added + text[at + len(mark) :]


def _sorted_lines(lines: str, added: str) -> str:
    return "".join(f"{line}\n" for line in sorted([*lines.splitlines(), added]))


def _after_line(text: str, beginning: str, added: str) -> str:
    at = text.find(f"\n{beginning}")
    if at < 0:
        raise CannotMake(f"the line {beginning!r} is gone: bin/launcher/new.py looks for it")
    end = text.index("\n", at + 1) + 1
    return text[:end] + added + text[end:]


def _python(paths: list[str]) -> list[str]:
    return [path for path in paths if path.endswith(".py")]


if __name__ == "__main__":
    sys.exit(main())
