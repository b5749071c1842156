"""Files in one folder of this machine, or of a file system that several machines share."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from backend.core.errors import NotFound
from backend.core.storage import content
from backend.core.storage.content import UNFINISHED, StoredFile, is_machine_fault, storage_fault

_UNUSABLE: Final = frozenset(
    {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO,
     errno.ENOENT}
)  # fmt: skip


class FolderStorage:
    """Files in a folder, readable by its user alone."""

    def __init__(self, root: Path | str) -> None:
        """Makes the folder when it is first written to."""
        self.root = Path(root).absolute()

    def __repr__(self) -> str:
        return f"FolderStorage({str(self.root)!r})"

    def put(
        self, stream: BinaryIO, *, max_bytes: int, prefix: str, accept: Collection[str] | None = None
    ) -> StoredFile:
        """See `Storage.put`. A crash leaves at most a file in `unfinished`, never half a file under a key."""
        key = content.new_key(prefix)
        unfinished = self.root / UNFINISHED / key.rsplit("/", 1)[-1]
        try:
            unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            stored = _receive(stream, unfinished, key, max_bytes, accept)
            target = self._locate(key)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.replace(target)
            # The names, too, have to survive a power cut; a new folder's name stands in the one above it.
            for folder in (target.parent, target.parent.parent):
                _sync_folder(folder)
        except BaseException as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            if isinstance(error, OSError) and (is_machine_fault(error) or error.errno in _UNUSABLE):
                raise storage_fault(error) from None
            raise
        return stored

    def path(self, key: str) -> Path:
        """Where the file lies, for servers that send files by path. Raises `NotFound`."""
        if not self.exists(key):
            raise content.missing()
        return self._locate(key)

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`."""
        try:
            return self._locate(key).open("rb")
        except FileNotFoundError:
            raise content.missing() from None
        except OSError as error:
            raise storage_fault(error) from None

    def exists(self, key: str) -> bool:
        """See `Storage.exists`."""
        return content.is_key(key) and self._locate(key).is_file()

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        try:
            with suppress(NotFound):
                self._locate(key).unlink(missing_ok=True)
        except OSError as error:
            raise storage_fault(error) from None

    def is_available(self) -> bool:
        """See `Storage.is_available`."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self.root, os.R_OK | os.W_OK | os.X_OK)

    def remove_unfinished(self, older_than: float) -> int:
        """Removes half-written files last touched before `older_than` (unix seconds); returns how many."""
        removed = 0
        folder = self.root / UNFINISHED
        for leftover in folder.iterdir() if folder.is_dir() else ():
            if leftover.stat().st_mtime < older_than:
                leftover.unlink(missing_ok=True)
                removed += 1
        return removed

    def _locate(self, key: str) -> Path:
        if not content.is_key(key):
            raise content.missing()
        return self.root / key


def _receive(stream: BinaryIO, path: Path, key: str, max_bytes: int, accept: Collection[str] | None) -> StoredFile:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        stored = content.copy(stream, file, key, max_bytes, accept)
        file.flush()
        os.fsync(file.fileno())
    return stored


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
