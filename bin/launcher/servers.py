"""A PostgreSQL and a Valkey for one run of tests or measurements, gone afterwards with all they held."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from embedded import EmbeddedPostgres, EmbeddedValkey


@contextmanager
def temporary(*, fsync: bool) -> Iterator[dict[str, str]]:
    """`TEST_DATABASE_URL` and `TEST_REDIS_URL` for the block; one that is set already is used as it is."""
    variables = {}
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="switchboard-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # the account that runs PostgreSQL for root must pass
        for name, server in (
            ("TEST_DATABASE_URL", EmbeddedPostgres(folder / "postgres", fsync=fsync)),
            ("TEST_REDIS_URL", EmbeddedValkey(folder / "valkey", persist=fsync)),
        ):
            given = os.environ.get(name)
            if given:
                variables[name] = given
            else:
                stack.callback(server.stop)
                variables[name] = server.start()
        yield variables
