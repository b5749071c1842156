"""The senders of Messenger and Instagram that the environment names."""

from __future__ import annotations

from backend.channels.spec import EnvironmentSender
from backend.core.config import Settings


def page_sender(settings: Settings, account_id: str) -> EnvironmentSender | None:
    """The page's sender, or that of its Instagram account. A token alone may be meant for publishing posts: messages
    need the application's secret, or are asked for by the account's id or the token of the handshake."""
    is_meant = settings.meta_app_secret or settings.verify_token or account_id
    if not settings.meta_page_access_token or not is_meant:
        return None
    return EnvironmentSender(
        settings.meta_page_access_token, external_id=account_id or None, settings=secrets_of(settings)
    )


def secrets_of(settings: Settings) -> dict[str, str]:
    """What proves requests and handshakes, by the names that the specs give them."""
    named = {
        "app_id": settings.meta_app_id,
        "app_secret": settings.meta_app_secret,
        "instagram_app_secret": settings.instagram_app_secret,
        "verify_token": settings.verify_token,
    }
    return {name: value for name, value in named.items() if value}
