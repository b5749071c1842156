"""`flask channels webhooks` says what an operator has to change."""

from __future__ import annotations

import pytest
from flask import Flask

from backend.core import config


@pytest.mark.parametrize(("version", "warns"), [("v19.0", True), ("v26.0", False)])
def test_a_version_that_has_ended_is_accepted_with_a_warning(app: Flask, version: str, warns: bool) -> None:
    settings = config.get()
    config.use(settings.model_copy(update={"meta_api_version": version}))
    try:
        printed = app.test_cli_runner().invoke(args=["channels", "webhooks"])
    finally:
        config.use(settings)
    assert printed.exit_code == 0, printed.output
    assert ("v19.0 ended on 2026-05-21" in printed.output) is warns
    assert "whatsapp" in printed.output
