"""The file of an import on this machine, so that nothing waits for the storage while something is read from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

from backend.core.database import db
from backend.services import files
from backend.services.contacts.imports.claims import Claim

_CHUNK: Final = 1024 * 1024
_CHUNKS_A_RENEWAL: Final = 8


@contextmanager
def local_file(claim: Claim) -> Iterator[BinaryIO]:
    """A copy of the import's file, from its start, which goes with the block. It is fetched without a transaction.

    Raises NotFound where the file is gone, Unavailable and OSError while the storage is away, Superseded, Canceled.
    """
    job = claim.load()
    key = job.file_key if job.file_key is not None else files.get(job.file_id or 0).key
    db.session.rollback()
    with tempfile.TemporaryFile() as copy:
        with files.storage_of_instance().open(key) as source:
            count = 0
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
                count += 1
                if count % _CHUNKS_A_RENEWAL == 0:
                    claim.advance()
        copy.seek(0)
        yield cast(BinaryIO, copy)
