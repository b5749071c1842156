"""Which account runs a server that refuses to run as root (PostgreSQL does).

An ordinary user runs it as itself. Root hands it to an account that every system has; where that account
could not reach the program or its data (a project below /root), the process keeps one capability, so that no
folder's permissions are changed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from .errors import ServerError

#: Tried in this order; the first that exists is used.
ACCOUNTS = ("postgres", "_postgres", "nobody")

_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class SpawnOptions(TypedDict, total=False):
    """Keyword arguments for `subprocess.Popen`."""

    user: int
    group: int
    extra_groups: list[int]
    preexec_fn: Callable[[], None]


def account() -> pwd.struct_passwd | None:
    """The account to switch to, None for an ordinary user. Raises `ServerError` when root has none."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError(
        f"PostgreSQL refuses to run as root and none of the accounts {', '.join(ACCOUNTS)} exists. "
        "Run this as an ordinary user, or set DATABASE_URL."
    )


def give(path: Path) -> None:
    """Make `path` belong to the account that will use it (nothing to do for an ordinary user)."""
    owner = account()
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def spawn_options(program: Path, folder: Path) -> SpawnOptions:
    """How to start `program`, which works in `folder`, as the account of `account()`.

    Raises `ServerError` where root cannot be left without changing the permissions of folders.
    """
    owner = account()
    if owner is None:
        return {}
    plain: SpawnOptions = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    if _reaches(program, folder, plain):
        return plain
    if sys.platform.startswith("linux"):
        passing: SpawnOptions = {"preexec_fn": lambda: _become(owner.pw_uid, owner.pw_gid)}
        if _reaches(program, folder, passing):
            return passing
    raise ServerError(
        f"The account {owner.pw_name}, which runs PostgreSQL for root, cannot reach {folder}. "
        "Run this as an ordinary user, or move the project to a folder that others may enter."
    )


def _reaches(program: Path, folder: Path, options: SpawnOptions) -> bool:
    """Whether a process started so may run the program, and may work in the folder."""
    command = ["/bin/sh", "-c", 'cd "$1" && test -x "$0" && exec "$0" --version', str(program), str(folder)]
    try:
        return subprocess.run(command, cwd="/", capture_output=True, **options).returncode == 0
    except (OSError, subprocess.SubprocessError):  # the account or the capability cannot be taken on
        return False


def _become(uid: int, gid: int) -> None:
    """In the child, before exec: leave root, keeping only the right to pass root's folders (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), "cannot keep a capability")

    # Keeps capabilities across setuid and makes access(2) count them (PostgreSQL asks it about its programs).
    check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    only = 1 << _CAP_DAC_OVERRIDE
    check(libc.capset(header, (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)))
    check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))
