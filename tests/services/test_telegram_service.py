"""`backend.services.telegram_service` is what host applications import: it offers all that `host_api` does."""

from __future__ import annotations

from backend.services import host_api, telegram_service


def test_the_name_that_host_applications_import_offers_everything():
    assert telegram_service.__all__ == host_api.__all__
    assert all(getattr(telegram_service, name) is getattr(host_api, name) for name in host_api.__all__)
