"""Where providers call: each view verifies, stores, commits, wakes and answers. Nothing slow happens here."""

from backend.http.webhooks import telegram

BLUEPRINTS = [telegram.bp]
