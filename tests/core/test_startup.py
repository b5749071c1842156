"""What no later message could be sent or read with is found at the start, by the name of its variable."""

from __future__ import annotations

import pytest

from backend.core import config, startup
from backend.core.config import ConfigurationError


@pytest.fixture(autouse=True)
def _settings_stay(monkeypatch, settings):
    monkeypatch.setattr(config, "_current", settings)


def test_good_settings_become_the_process_s(settings):
    startup.begin(settings)
    assert config.get() is settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ENCRYPTION_KEYS", "not-a-key"),
        ("ENCRYPTION_KEYS", "c2hvcnQ="),
        ("LOOKUP_KEY", "not-a-key"),
        ("SECRET_KEY", "short"),
        ("MEDIA_URL", "s3://key@bucket"),
        ("MEDIA_URL", "gs://bucket"),
        ("RATE_LIMITS", "login=often"),
        ("RATE_LIMITS", "nothing=10/m"),
        ("WORKSPACE_CAPS", "bots=many"),
        ("WORKSPACE_CAPS", "nothing=10"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(settings, variable, value):
    broken = settings.model_copy(update={variable.lower(): value})
    with pytest.raises(ConfigurationError, match=variable):
        startup.begin(broken)
