"""What a process checks before it serves anybody: settings whose form only their own module knows."""

from __future__ import annotations

from backend.core import caps, config, hash_queue, ratelimit, storage
from backend.core.config import ConfigurationError, Settings
from backend.core.crypto import MalformedKey
from backend.core.egress import smtp
from backend.core.encrypted_columns import keyring


def begin(settings: Settings) -> None:
    """Makes these the settings of the process. Raises ConfigurationError naming the first that cannot be used."""
    config.use(settings)
    hash_queue.configure(settings.web_threads)
    try:
        keyring()
        storage.from_url(settings.media_url)
        ratelimit.parse(settings.rate_limits)
        caps.parse(settings.workspace_caps)
        if settings.smtp_url:
            smtp.parse(settings.smtp_url)
    except smtp.SmtpUrlError as error:
        raise ConfigurationError(f"SMTP_URL {error}") from None
    except (MalformedKey, storage.MediaUrlError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
