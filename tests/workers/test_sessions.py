"""The role of accounts: what it refuses to start with."""

from __future__ import annotations

import pytest

from backend.core.config import ConfigurationError, Settings
from backend.workers import sessions

SIMULATED = Settings(telegram_mtproto_server="tcp://127.0.0.1:4430?key=key.pem")


@pytest.mark.parametrize("name", sessions.TEST_ONLY)
def test_nothing_speaks_to_telegram_with_what_only_tests_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in sessions.TEST_ONLY:
        monkeypatch.delenv(other, raising=False)
    sessions.require_safe(Settings())
    monkeypatch.setenv(name, "x")
    sessions.require_safe(SIMULATED)
    with pytest.raises(ConfigurationError, match=name):
        sessions.require_safe(Settings())
