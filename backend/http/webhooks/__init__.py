"""Where providers call: each view verifies, stores, commits, wakes and answers. Nothing slow happens here."""

from backend.http.webhooks.providers import MAX_SECONDS, blueprint

__all__ = ["MAX_SECONDS", "blueprint"]
