"""The name by which host applications import `host_api`; it stays."""

from backend.services.host_api import *  # noqa: F403 - all of it, and nothing else
from backend.services.host_api import __all__ as __all__
