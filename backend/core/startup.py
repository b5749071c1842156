"""What a process checks before it serves anybody: settings whose form only their own module knows."""

from __future__ import annotations

from backend.core import config, ratelimit, storage
from backend.core.config import ConfigurationError, Settings
from backend.core.crypto import MalformedKey
from backend.core.sealed import keyring


def begin(settings: Settings) -> None:
    """Makes these the settings of the process. Raises ConfigurationError naming the first that cannot be used."""
    config.use(settings)
    try:
        keyring()
        storage.from_url(settings.media_url)
        ratelimit.parse(settings.rate_limits)
    except (MalformedKey, storage.MediaUrlError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
